"""What recall costs: the threshold and the false alarms for each of several recalls."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

from app.evaluation.result import PictureResult
from app.scoring import Calibration, Confusion

RECALLS = (0.5, 0.8, 0.9, 0.95, 0.99, 1.0)


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """The threshold that finds a wanted share of the defects at the lowest rate of false alarms.

    wanted: the wanted recall
    threshold: the normalised threshold, as requests and the page take it
    raw_threshold: the same threshold of raw scores
    found: the confusion matrix of the pictures at this threshold
    """

    wanted: float
    threshold: float
    raw_threshold: float
    found: Confusion


def operating_points(pictures: Sequence[PictureResult], calibration: Calibration) -> list[OperatingPoint]:
    """The operating points of RECALLS. Recalls that no threshold in [0, 1] gives are missing.

    Empty without anomalous pictures. Normalised scores are limited to [0, 1], and a picture is anomalous if its score
    exceeds the threshold, so that a picture of score 0 is never found. A threshold lies in the middle between the score
    of the last picture that it must find and the next lower score, rounded to few digits.
    """
    scores = [calibration.normalise_score(each.raw_score) for each in pictures]
    defects = sorted((score for score, each in zip(scores, pictures, strict=True) if each.anomalous), reverse=True)
    points = []
    for wanted in RECALLS if defects else ():
        last = defects[ceil(round(wanted * len(defects), 9)) - 1]
        if last > 0:
            threshold = _short(max((score for score in scores if score < last), default=0.0), last)
            found = _confusion(scores, pictures, threshold)
            points.append(OperatingPoint(wanted, threshold, calibration.raw_score(threshold), found))
    return points


def _short(lower: float, upper: float) -> float:
    """A number of few digits near the middle of [lower, upper)."""
    for digits in range(2, 17):
        rounded = round((lower + upper) / 2, digits)
        if lower <= rounded < upper:
            return rounded
    return lower


def _confusion(scores: Sequence[float], pictures: Sequence[PictureResult], threshold: float) -> Confusion:
    pairs = [(each.anomalous, score > threshold) for score, each in zip(scores, pictures, strict=True)]
    return Confusion(*(pairs.count(pair) for pair in ((True, True), (False, True), (False, False), (True, False))))
