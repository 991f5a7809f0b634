"""A ranking of labelled values, as one step for each distinct anomalous value.

Every curve over thresholds (ROC, precision-recall, per-region overlap) changes its height only at anomalous values;
between two of them it is a straight line. So exact areas need only the number of normal values above each anomalous
value, and the number of normal values equal to it. Normal values can be counted without being kept.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True, slots=True)
class Totals:
    """Counts of values.

    normal: the number of normal values
    anomalous: the number of anomalous values
    regions: the number of regions that the anomalous values form, if these are pixels; else 0
    """

    normal: int
    anomalous: int
    regions: int = 0


@dataclass(frozen=True, slots=True)
class Steps:
    """A block of the steps of a ranking, the highest value first; each field is [m].

    values: the distinct anomalous values
    found: the number of anomalous values equal to each, 1 or more
    tied: the number of normal values equal to each
    above: the number of normal values above each
    overlap: the sum of 1 / (pixels of the region) over the anomalous values equal to each
    """

    values: NDArray[np.floating]
    found: NDArray[np.int64]
    tied: NDArray[np.int64]
    above: NDArray[np.int64]
    overlap: NDArray[np.float64]


def totals_of(anomalous: ArrayLike) -> Totals:
    """The totals of labels [n] bool, without regions."""
    labels = np.asarray(anomalous, dtype=bool)
    found = int(np.count_nonzero(labels))
    return Totals(labels.size - found, found)


def steps_of(scores: ArrayLike, anomalous: ArrayLike) -> Steps:
    """The steps of values in memory: `scores` [n] of any real type, `anomalous` [n] bool. Overlaps are 0.

    Raises ValueError for NaN.
    """
    values, labels = np.asarray(scores).ravel(), np.asarray(anomalous, dtype=bool).ravel()
    if np.isnan(values).any():
        raise ValueError("scores that are not numbers have no order")
    distinct, found = np.unique(values[labels], return_counts=True)
    normal = np.sort(values[~labels])
    over = np.searchsorted(normal, distinct, "right")  # normal values up to each
    under = np.searchsorted(normal, distinct, "left")  # normal values below each
    columns = (found, over - under, len(normal) - over)
    counts, tied, above = (np.asarray(column[::-1], np.int64) for column in columns)
    return Steps(distinct[::-1], counts, tied, above, np.zeros(len(distinct)))
