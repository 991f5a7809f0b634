"""Use cases: predictions for pictures, and the models that are served."""

from app.service.cameras import Cameras
from app.service.catalogue import LOAD_S, CatalogueObserver, ModelCatalogue
from app.service.choices import ServeNew
from app.service.notes import Note, NoteCode, notes
from app.service.picture_task import Answer, Rendering
from app.service.predicted import Judged, Predicted
from app.service.predictor import Predictor, StageObserver
from app.service.reloaded import ReloadedModel
from app.service.reloader import Reloader
from app.service.source import Pixels, Source, Upload
from app.service.timings import Timings
from app.service.verdict import Verdict
from app.service.version_table import DEFAULT, ServedModel, Stage, VersionState, VersionStatus

__all__ = [
    "DEFAULT",
    "LOAD_S",
    "Answer",
    "Cameras",
    "CatalogueObserver",
    "Judged",
    "ModelCatalogue",
    "Note",
    "NoteCode",
    "Pixels",
    "Predicted",
    "Predictor",
    "ReloadedModel",
    "Reloader",
    "Rendering",
    "ServeNew",
    "ServedModel",
    "Source",
    "Stage",
    "StageObserver",
    "Timings",
    "Upload",
    "Verdict",
    "VersionState",
    "VersionStatus",
    "notes",
]
