"""Training: from folders of normal pictures to an artifact."""

from app.training.calibration import HoldOut
from app.training.trainer import Job, Recipe, plan_training, train

__all__ = ["HoldOut", "Job", "Recipe", "plan_training", "train"]
