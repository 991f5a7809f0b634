"""Training: from folders of normal pictures to an artifact."""

from app.training.alike import alike_note
from app.training.calibration import CalibrationChoice, CalibrationProtocol, HoldOut, Labelled, ReadingOptions
from app.training.callbacks import Callback, TilerConfigurationCallback
from app.training.cross_conformal import Automatic, CrossConformal
from app.training.default_tiling import DEFAULT_TILING
from app.training.early_stopping import EarlyStopping
from app.training.notes import training_notes
from app.training.options import TrainerOptions
from app.training.plan import Job, Recipe, plan_training
from app.training.recalibration import Goal, Recalibrated, recalibrate
from app.training.reference import Reference
from app.training.trainer import train

__all__ = [
    "DEFAULT_TILING",
    "Automatic",
    "CalibrationChoice",
    "CalibrationProtocol",
    "Callback",
    "CrossConformal",
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
    "alike_note",
    "plan_training",
    "recalibrate",
    "train",
    "training_notes",
]
