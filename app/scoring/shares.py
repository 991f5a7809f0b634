"""Confidence intervals of shares: recall, and the rate of false alarms."""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import betaincinv

LEVEL = 0.95
"""The confidence level of all intervals."""

Interval = tuple[float, float]
"""The (low, high) end of a confidence interval of LEVEL."""


def share_interval(count: int, total: int) -> Interval:
    """The interval of a share of which `count` of `total` independent cases were observed; (0, 1) without cases."""
    low, high = share_intervals([count], total)[0]
    return float(low), float(high)


def share_bound(count: int, total: int) -> float:
    """The upper limit of a share of which `count` of `total` independent cases were observed; 1 without cases.

    One-sided and exact (Clopper & Pearson 1934): the true share exceeds it with a probability of at most 1 - LEVEL.
    Also for the share of new values over the (total - count)-th smallest of `total` (Wilks 1941,
    doi:10.1214/aoms/1177731788), so that it holds for a threshold that these values have set.
    """
    return float(betaincinv(count + 1, total - count, LEVEL)) if count < total else 1.0


def share_intervals(counts: ArrayLike, total: int) -> NDArray[np.float64]:
    """The intervals of several counts out of the same total, [n,2] (Clopper & Pearson 1934).

    The interval is exact: it contains the true share with a probability of at least LEVEL. A bootstrap of 0 of n or n
    of n cases would give an interval without width.
    """
    found, tail = np.asarray(counts, np.float64), (1 - LEVEL) / 2
    low, high = np.zeros(len(found)), np.ones(len(found))
    some, missing = found > 0, found < total
    low[some] = betaincinv(found[some], total - found[some] + 1, tail)
    high[missing] = betaincinv(found[missing] + 1, total - found[missing], 1 - tail)
    return np.stack([low, high], 1)
