"""Synthetic pictures, for training without photographs; synthetic defects in photographs."""

from app.synthesis.defects import KINDS, Defect, Place, add_defect, scattered
from app.synthesis.graded import MARK_KINDS, Mark, draw_mark
from app.synthesis.pictures import draw

__all__ = ["KINDS", "MARK_KINDS", "Defect", "Mark", "Place", "add_defect", "draw", "draw_mark", "scattered"]
