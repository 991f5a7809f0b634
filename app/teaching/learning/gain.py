"""Whether scores tell defects apart better than other scores of the same pictures."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

ALARMS = 0.1
"""The rate of false alarms up to which recall counts: thresholds with more alarms are of no use."""


@dataclass(frozen=True, slots=True)
class Gain:
    """The gain in partial area, with its standard error; both are shares of 1."""

    value: float
    error: float

    @property
    def is_clear(self) -> bool:
        """Whether it is larger than its standard error."""
        return self.value > self.error


def partial_area(normal: Floats, defects: Floats) -> float:
    """The mean recall of defects at the rates of false alarms up to ALARMS, 0 to 1: a partial area under the ROC curve.

    The thresholds are the highest scores of normal pictures, ALARMS of them, at least one. A tie counts half.
    """
    count = max(round(ALARMS * len(normal)), 1)
    limits = np.sort(normal)[-count:]
    lower = np.searchsorted(limits, defects, "left") + np.searchsorted(limits, defects, "right")  # each limit twice
    return float(lower.sum() / (2 * count * len(defects)))


def gain_of(normal: Sequence[tuple[float, float]], defects: Sequence[tuple[float, float]]) -> Gain:
    """The gain of the second scores of each picture over the first; two or more pictures of each kind.

    The standard error is that of the jackknife, over the pictures of both kinds.
    """
    usual, marked = np.array(normal, np.float64), np.array(defects, np.float64)

    def gained(normal_kept: Floats, defects_kept: Floats) -> float:
        first, second = (partial_area(normal_kept[:, each], defects_kept[:, each]) for each in (0, 1))
        return second - first

    without_normal = [gained(np.delete(usual, each, 0), marked) for each in range(len(usual))]
    without_defect = [gained(usual, np.delete(marked, each, 0)) for each in range(len(marked))]
    variance = sum((len(each) - 1) * float(np.var(each)) for each in (without_normal, without_defect))
    return Gain(gained(usual, marked), variance**0.5)
