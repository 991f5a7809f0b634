"""Training: from folders of normal pictures to an artifact."""

from app.training.data import DataModule, Folder, MVTec
from app.training.trainer import HoldOut, Job, Recipe, plan_training, train

__all__ = ["DataModule", "Folder", "HoldOut", "Job", "MVTec", "Recipe", "plan_training", "train"]
