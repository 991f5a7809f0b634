"""Prediction limits for maxima.

A picture's score and its map's peak are maxima of many values. Maxima follow a Gumbel distribution (Fisher & Tippett
1928; Gumbel 1958) for any distribution of the values whose tail falls off exponentially or faster.
"""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

DRAWS = 20_000  # simulated samples
RESAMPLES = 2000
BLOCK = 2**20  # simulated values in memory at once
BISECTIONS = 60
LEAST_SPREAD = 0.01
"""The smallest standard deviation of the values, as a share of their mean.

Values that vary by less come from pictures that are alike. The same picture in another format would exceed their limit.
"""


def prediction_limit(values: Sequence[float], exceedance: float) -> float:
    """The limit that one more value of a Gumbel distribution exceeds with probability `exceedance`.

    `values` are two or more values of that distribution. The limit is mean + k * standard deviation; k is such that the
    probability holds on average over all samples of this size. So k includes the uncertainty of small samples: for 5 %,
    k(2) = 10 and k(18) = 2.1. The standard deviation is at least LEAST_SPREAD of the mean.
    """
    mean = np.mean(values)
    return float(mean + limit_factor(len(values), exceedance) * max(np.std(values, ddof=1), LEAST_SPREAD * abs(mean)))


def confidence_limits(values: Sequence[float], exceedance: float) -> tuple[float, float]:
    """The 95 % confidence limits of `prediction_limit`, by the percentile bootstrap (Efron 1979) with a fixed seed."""
    sample, factor = np.asarray(values), limit_factor(len(values), exceedance)
    drawn = sample[np.random.default_rng(0).integers(len(sample), size=(RESAMPLES, len(sample)))]
    means = drawn.mean(1)
    spreads = np.maximum(drawn.std(1, ddof=1), LEAST_SPREAD * np.abs(means))
    low, high = np.quantile(means + factor * spreads, [0.025, 0.975])
    return float(low), float(high)


@lru_cache(maxsize=256)
def limit_factor(count: int, exceedance: float) -> float:
    """The factor k of `prediction_limit` for samples of `count` values, by simulation with a fixed seed.

    The mean probability of exceeding the limit decreases with k, so that bisection finds k.
    """
    means, deviations = _moments(count)
    low, high = 0.0, 1e6
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        with np.errstate(over="ignore"):  # far below the mode, where the probability is 1
            chance = -np.expm1(-np.exp(-(means + middle * deviations))).mean()
        low, high = (middle, high) if chance > exceedance else (low, middle)
    return high


def _moments(count: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Means and standard deviations, [DRAWS] each, of samples of `count` values of the standard Gumbel distribution."""
    generator = np.random.default_rng(0)
    rows = max(BLOCK // count, 1)
    blocks = [generator.gumbel(size=(min(rows, DRAWS - start), count)) for start in range(0, DRAWS, rows)]
    return np.concatenate([block.mean(1) for block in blocks]), np.concatenate(
        [block.std(1, ddof=1) for block in blocks]
    )
