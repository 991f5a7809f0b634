"""Use cases: which models are served, and what a picture is to them."""

from app.service.catalogue import CatalogueObserver, ModelCatalogue
from app.service.predictor import Answer, Predicted, Predictor, StageObserver, Timings
from app.service.reloaded import ReloadedModel
from app.service.reloader import Reloader
from app.service.shelf import ServedModel, VersionStatus

__all__ = [
    "Answer",
    "CatalogueObserver",
    "ModelCatalogue",
    "Predicted",
    "Predictor",
    "ReloadedModel",
    "Reloader",
    "ServedModel",
    "StageObserver",
    "Timings",
    "VersionStatus",
]
