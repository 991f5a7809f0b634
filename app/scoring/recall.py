"""The threshold that finds a requested share of the anomalous pictures."""

from collections.abc import Sequence
from fractions import Fraction
from math import ceil

from app.scoring.calibration import just_below


def recall_threshold(values: Sequence[float], anomalous: Sequence[bool], recall: float) -> float:
    """The highest threshold that at least the share `recall`, in (0, 1], of the anomalous values exceeds.

    It lies half way between the lowest of these values and the next lower value of any label, because pictures are few:
    the verdicts are the same, and rounding does not change them. Just below the former if there is no lower value.
    Raises ValueError without anomalous values.
    """
    positive = sorted((value for value, label in zip(values, anomalous, strict=True) if label), reverse=True)
    if not positive:
        raise ValueError("there are no anomalous values")
    lowest = positive[max(1, ceil(Fraction(str(recall)) * len(positive))) - 1]
    lower = max((value for value in values if value < lowest), default=None)
    return just_below(lowest) if lower is None else (lower + lowest) / 2
