"""Training: from folders of normal pictures to an artifact."""

from app.training.calibration import CalibrationProtocol, HoldOut, Labelled, ReadingOptions, Reference
from app.training.callbacks import Callback, TilerConfigurationCallback
from app.training.early_stopping import EarlyStopping
from app.training.notes import training_notes
from app.training.options import TrainerOptions
from app.training.plan import Job, Recipe, plan_training
from app.training.recalibration import Goal, Recalibrated, recalibrate
from app.training.trainer import train

__all__ = [
    "CalibrationProtocol",
    "Callback",
    "EarlyStopping",
    "Goal",
    "HoldOut",
    "Job",
    "Labelled",
    "ReadingOptions",
    "Recalibrated",
    "Recipe",
    "Reference",
    "TilerConfigurationCallback",
    "TrainerOptions",
    "plan_training",
    "recalibrate",
    "train",
    "training_notes",
]
