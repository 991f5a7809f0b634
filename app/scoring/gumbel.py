"""Prediction limits for maxima.

A picture's score and its map's peak are the largest of many values, and the law of maxima is Gumbel's (Fisher & Tippett
1928; Gumbel 1958), whatever the law of the values, if their tail falls off exponentially or faster.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

DRAWS = 20_000
BLOCK = 2**20
BISECTIONS = 60


def prediction_limit(values: Sequence[float], exceedance: float) -> float:
    """What one more value of a Gumbel law exceeds with probability `exceedance`, by two or more values of it.

    It is mean + k * standard deviation, with the k at which that holds on average over all samples of this size: the
    uncertainty of few values is part of it, k(2) = 10 and k(18) = 2.1 for 5 %.
    """
    return float(np.mean(values) + limit_factor(len(values), exceedance) * np.std(values, ddof=1))


def limit_factor(count: int, exceedance: float) -> float:
    """That k, by simulation with a fixed seed: the mean chance to exceed the limit falls with k, which is bisected."""
    means, deviations = _moments(count)
    low, high = 0.0, 1e6
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        with np.errstate(over="ignore"):  # far below the mode, where the chance is 1
            chance = -np.expm1(-np.exp(-(means + middle * deviations))).mean()
        low, high = (middle, high) if chance > exceedance else (low, middle)
    return high


def _moments(count: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Means and standard deviations of DRAWS samples of the standard Gumbel law."""
    generator = np.random.default_rng(0)
    rows = max(BLOCK // count, 1)
    blocks = [generator.gumbel(size=(min(rows, DRAWS - start), count)) for start in range(0, DRAWS, rows)]
    return np.concatenate([block.mean(1) for block in blocks]), np.concatenate(
        [block.std(1, ddof=1) for block in blocks]
    )
