"""Distillation: trains a backbone, without photographs, to reproduce the features of another backbone."""

from app.training.distillation.backbone_file import DistillationSummary, write_backbone, write_weights
from app.training.distillation.distil import distil
from app.training.distillation.recipe import DistillationRecipe
from app.training.distillation.teacher import Teacher

__all__ = ["DistillationRecipe", "DistillationSummary", "Teacher", "distil", "write_backbone", "write_weights"]
