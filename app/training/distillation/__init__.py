"""Training a backbone that needs nobody's pictures: it learns to see what another one sees."""

from app.training.distillation.backbone_file import DistillationSummary, write_backbone, write_weights
from app.training.distillation.distil import distil
from app.training.distillation.recipe import DistillationRecipe
from app.training.distillation.teacher import Teacher

__all__ = ["DistillationRecipe", "DistillationSummary", "Teacher", "distil", "write_backbone", "write_weights"]
