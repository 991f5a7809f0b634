"""Use cases: which models are served, and what a picture is to them."""

from app.service.catalogue import ModelCatalogue, ServedModel, VersionStatus
from app.service.predictor import Answer, Predicted, Predictor, StageObserver, Timings

__all__ = [
    "Answer",
    "ModelCatalogue",
    "Predicted",
    "Predictor",
    "ServedModel",
    "StageObserver",
    "Timings",
    "VersionStatus",
]
