"""How well a model does on labelled pictures, and a report of it."""

from app.evaluation.evaluate import EvaluatedPicture, Procedure, evaluate
from app.evaluation.figures import FIGURES, Figure, recorded
from app.evaluation.result import Evaluation, KindResult, Level, PictureResult, Unreadable

__all__ = [
    "FIGURES",
    "EvaluatedPicture",
    "Evaluation",
    "Figure",
    "KindResult",
    "Level",
    "PictureResult",
    "Procedure",
    "Unreadable",
    "evaluate",
    "recorded",
]
