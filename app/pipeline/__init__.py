"""The stages of a prediction: prepare, run, finish."""

from app.pipeline.device import BATCH_TILES, resolve_device
from app.pipeline.model import Outcome, Prepared, TiledModel, predict
from app.pipeline.prediction import DefectRegion, Label, Prediction, interpret
from app.pipeline.preprocessing import Preprocessing

__all__ = [
    "BATCH_TILES",
    "DefectRegion",
    "Label",
    "Outcome",
    "Prediction",
    "Prepared",
    "Preprocessing",
    "TiledModel",
    "interpret",
    "predict",
    "resolve_device",
]
