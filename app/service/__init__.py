"""Use cases: which models are served, and what a picture is to them."""

from app.service.catalogue import CatalogueObserver, ModelCatalogue
from app.service.predictor import Answer, Predicted, Predictor, StageObserver, Timings
from app.service.reloaded import ReloadedModel
from app.service.reloader import Reloader
from app.service.source import Pixels, Source, Upload
from app.service.version_table import ServedModel, VersionStatus

__all__ = [
    "Answer",
    "CatalogueObserver",
    "ModelCatalogue",
    "Pixels",
    "Predicted",
    "Predictor",
    "ReloadedModel",
    "Reloader",
    "ServedModel",
    "Source",
    "StageObserver",
    "Timings",
    "Upload",
    "VersionStatus",
]
