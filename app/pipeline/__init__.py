"""The stages of a prediction: prepare, run, finish."""

from app.pipeline.assembly import Outcome, assembled, predict
from app.pipeline.batching import best_batch_tiles
from app.pipeline.device import BATCH_TILES, resolve_device, resolve_devices, use_processors
from app.pipeline.execution import Execution
from app.pipeline.loops import Loops
from app.pipeline.model import Prepared, TiledModel
from app.pipeline.out_of_memory import is_out_of_memory
from app.pipeline.prediction import CALIBRATED, USUAL, Criteria, DefectRegion, Label, Prediction, Question, interpret
from app.pipeline.preprocessing import Preprocessing
from app.pipeline.roi import Roi

__all__ = [
    "BATCH_TILES",
    "CALIBRATED",
    "USUAL",
    "Criteria",
    "DefectRegion",
    "Execution",
    "Label",
    "Loops",
    "Outcome",
    "Prediction",
    "Prepared",
    "Preprocessing",
    "Question",
    "Roi",
    "TiledModel",
    "assembled",
    "best_batch_tiles",
    "interpret",
    "is_out_of_memory",
    "predict",
    "resolve_device",
    "resolve_devices",
    "use_processors",
]
