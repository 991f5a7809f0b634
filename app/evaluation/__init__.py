"""Metrics of a model on labelled pictures, and a report of them."""

from app.evaluation.evaluate import EvaluatedPicture, Procedure, evaluate
from app.evaluation.figures import FIGURES, Figure, manifest_metrics
from app.evaluation.result import Evaluation, KindResult, Level, PictureResult, Unreadable
from app.evaluation.seen import SeenPictures, Selection, select_unseen

__all__ = [
    "FIGURES",
    "EvaluatedPicture",
    "Evaluation",
    "Figure",
    "KindResult",
    "Level",
    "PictureResult",
    "Procedure",
    "SeenPictures",
    "Selection",
    "Unreadable",
    "evaluate",
    "manifest_metrics",
    "select_unseen",
]
