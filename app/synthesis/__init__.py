"""Synthetic pictures, for training without photographs; synthetic defects in photographs."""

from app.synthesis.defects import KINDS, Defect, Place, add_defect, scattered
from app.synthesis.pictures import draw

__all__ = ["KINDS", "Defect", "Place", "add_defect", "draw", "scattered"]
