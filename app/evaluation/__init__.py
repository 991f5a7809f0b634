"""Metrics of a model on labelled pictures, and a report of them."""

from app.evaluation.compare import Changes, Comparison, Difference, compare
from app.evaluation.evaluate import EvaluatedPicture, Procedure, evaluate
from app.evaluation.figures import FIGURES, Figure, manifest_metrics
from app.evaluation.headline import headline, percent
from app.evaluation.intervals import Intervals, measure_intervals
from app.evaluation.masks_taken import MasksTaken
from app.evaluation.recall import RECALLS, OperatingPoint, operating_points
from app.evaluation.result import Evaluation, KindResult, Level, PictureResult, Unreadable
from app.evaluation.seen import SeenPictures, Selection, select_unseen, select_unseen_by_both

__all__ = [
    "FIGURES",
    "RECALLS",
    "Changes",
    "Comparison",
    "Difference",
    "EvaluatedPicture",
    "Evaluation",
    "Figure",
    "Intervals",
    "KindResult",
    "Level",
    "MasksTaken",
    "OperatingPoint",
    "PictureResult",
    "Procedure",
    "SeenPictures",
    "Selection",
    "Unreadable",
    "compare",
    "evaluate",
    "headline",
    "manifest_metrics",
    "measure_intervals",
    "operating_points",
    "percent",
    "select_unseen",
    "select_unseen_by_both",
]
