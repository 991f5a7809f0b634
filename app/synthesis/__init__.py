"""Pictures made by formulas, to learn from where there are no photographs."""

from app.synthesis.pictures import draw

__all__ = ["draw"]
