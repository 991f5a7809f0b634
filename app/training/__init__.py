"""Training: from folders of normal pictures to an artifact."""

from app.training.calibration import CalibrationProtocol, HoldOut, Labelled, Reference
from app.training.callbacks import Callback, TilerConfigurationCallback
from app.training.early_stopping import EarlyStopping
from app.training.options import TrainerOptions
from app.training.plan import Job, Recipe, plan_training
from app.training.trainer import train

__all__ = [
    "CalibrationProtocol",
    "Callback",
    "EarlyStopping",
    "HoldOut",
    "Job",
    "Labelled",
    "Recipe",
    "Reference",
    "TilerConfigurationCallback",
    "TrainerOptions",
    "plan_training",
    "train",
]
