"""How well a model does on labelled pictures, and a report of it."""

from app.evaluation.evaluate import Procedure, Sight, evaluate
from app.evaluation.result import Evaluation, KindResult, Level, PictureResult, Unreadable

__all__ = [
    "Evaluation",
    "KindResult",
    "Level",
    "PictureResult",
    "Procedure",
    "Sight",
    "Unreadable",
    "evaluate",
]
