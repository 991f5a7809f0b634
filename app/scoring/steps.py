"""A ranking of values, given by the anomalous ones.

Every curve over thresholds (ROC, precision and recall, per-region overlap) changes its height only where an anomalous
value is passed; between two of them it runs straight. How many normal values lie over each anomalous one, and how many
are equal to it, is therefore all that exact areas need, and normal values can be counted without being kept.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True, slots=True)
class Totals:
    """How many values there are of each label, and of how many regions the anomalous ones are the pixels."""

    normal: int
    anomalous: int
    regions: int = 0


@dataclass(frozen=True, slots=True)
class Steps:
    """Distinct anomalous values from the highest to the lowest, [m] each; a ranking may come in several of these."""

    values: NDArray[np.floating]
    found: NDArray[np.int64]  # anomalous values equal to it, 1 or more
    tied: NDArray[np.int64]  # normal values equal to it
    above: NDArray[np.int64]  # normal values over it
    overlap: NDArray[np.float64]  # sum of 1 / (pixels of the region) over the anomalous values equal to it


def totals_of(anomalous: ArrayLike) -> Totals:
    """How many labels [n] bool are of either kind."""
    labels = np.asarray(anomalous, dtype=bool)
    found = int(np.count_nonzero(labels))
    return Totals(labels.size - found, found)


def steps_of(scores: ArrayLike, anomalous: ArrayLike) -> Steps:
    """The steps of values in memory: `scores` [n] of any real type, `anomalous` [n] bool. ValueError for NaN."""
    values, labels = np.asarray(scores).ravel(), np.asarray(anomalous, dtype=bool).ravel()
    if np.isnan(values).any():
        raise ValueError("scores that are not numbers have no order")
    distinct, found = np.unique(values[labels], return_counts=True)
    normal = np.sort(values[~labels])
    over = np.searchsorted(normal, distinct, "right")  # normal values up to it
    under = np.searchsorted(normal, distinct, "left")
    columns = (found, over - under, len(normal) - over)
    counts, tied, above = (np.asarray(column[::-1], np.int64) for column in columns)
    return Steps(distinct[::-1], counts, tied, above, np.zeros(len(distinct)))
