"""The probability of detection by size, and the size that is found with 95 % probability.

The curve is logistic in the logarithm of the size, as in MIL-HDBK-1823A (appendix G, hit/miss data), with a share of
lapses: marks that are missed at any size, as at places that the model does not see. The size of 95 % is the a95 of that
handbook, and the upper end of its interval the a95/95. Intervals are those of the likelihood ratio. They stay valid
where all small marks are missed and all large ones found, unlike Wald's.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from app.scoring.shares import Interval

Floats = NDArray[np.float64]
WANTED = 0.95
"""The probability of detection that a size is reported for."""

JOINT, SINGLE = 2.996, 1.921
"""Half the 95 % quantiles of the chi-squared distribution with two degrees of freedom and with one. A curve has two
parameters, so that the interval holds for the whole curve (Cheng & Iles 1988, as in the handbook); the choice of sizes
by earlier trials makes the interval of one narrower than it says.
"""

TIED = 1e-2
"""Curves whose logarithm of the likelihood is so near the largest are equally likely."""


STEP = 0.05  # octaves between midpoints
BEYOND = 3.0  # octaves of midpoints beyond the sizes
STEEPNESS = np.geomspace(0.04, 1.5, 12)  # octaves: the scale of the logistic distribution
LAPSES = np.array([0.0, 0.01, 0.02, 0.03, 0.04, 0.045, 0.06, 0.1, 0.2, 0.35, 0.5, 0.75])
PRIOR = 19
"""The prior of lapses, Beta(1, 20): as if so many large marks more had been found (after Wichmann & Hill 2001)."""


@dataclass(frozen=True, slots=True)
class Tried:
    """Marks of one size, and how many of them were found."""

    size: float
    tried: int
    found: int


@dataclass(frozen=True, slots=True)
class Detection:
    """The likely curves of the probability of detection.

    midpoints, steepness, lapses: [n] of all curves whose likelihood ratio is not refused, midpoints in log2 of pixels
    best: the index of the likeliest
    """

    midpoints: Floats
    steepness: Floats
    lapses: Floats
    best: int

    def size(self, probability: float = WANTED) -> float:
        """The size in pixels that is found with this probability; infinite if there is none."""
        return float(np.exp2(self._sizes(probability)[self.best]))

    def size_interval(self, probability: float = WANTED) -> Interval:
        """The 95 % interval of that size; its ends may be infinite."""
        sizes = np.exp2(self._sizes(probability))
        return float(sizes.min()), float(sizes.max())

    def probability(self, size: float) -> float:
        """The probability that a mark of this size is found."""
        return float(self._probabilities(size)[self.best])

    def probability_interval(self, size: float) -> Interval:
        """The 95 % interval of that probability."""
        found = self._probabilities(size)
        return float(found.min()), float(found.max())

    def _sizes(self, probability: float) -> Floats:
        return _log_sizes(self.midpoints, self.steepness, self.lapses, probability)

    def _probabilities(self, size: float) -> Floats:
        found: Floats = (1 - self.lapses) * expit((np.log2(size) - self.midpoints) / self.steepness)
        return found


def fit_detection(tried: Sequence[Tried]) -> Detection:
    """The curves that agree with the trials, of at least one size."""
    counts = sorted(tried, key=lambda each: each.size)
    curves = _curves(tuple(each.size for each in counts))
    found = np.array([each.found for each in counts], np.float64)
    missed = np.array([each.tried for each in counts], np.float64) - found
    likelihood = found @ curves.log_found + missed @ curves.log_missed + PRIOR * np.log1p(-curves.parameters[2])
    largest = float(likelihood.max())
    likely = np.flatnonzero(likelihood >= largest - JOINT)
    tied = np.flatnonzero(likelihood[likely] >= largest - TIED)
    # Where all small marks are missed and all large ones found, many curves are as likely: take the middle one.
    middle, steep, lapse = (each[likely] for each in curves.parameters)
    sizes = _log_sizes(middle[tied], steep[tied], lapse[tied], WANTED)
    best = int(tied[np.argsort(sizes, kind="stable")[len(tied) // 2]])
    return Detection(middle, steep, lapse, best)


def place_factors(logs: Sequence[tuple[Detection, float, bool]]) -> tuple[float, Interval]:
    """How many times as large as elsewhere marks must be at one place, and the 95 % interval.

    `logs` are the trials at the place: the curve of their kind, the size, and whether it was found. The factor is
    between 1/8 and 8; few trials pull it toward 1 (the logarithm to the base 2 has a normal prior of variance 1).
    """
    shifts = np.arange(-60, 61) * STEP
    likelihood = -0.5 * shifts**2
    for curve, size, found in logs:
        at = curve.best
        share = expit((np.log2(size) - shifts - curve.midpoints[at]) / curve.steepness[at])
        known = np.clip((1 - curve.lapses[at]) * share, 1e-3, 1 - 1e-3)
        likelihood += np.log(known if found else 1 - known)
    likely = np.exp2(shifts[likelihood >= likelihood.max() - SINGLE])
    return float(np.exp2(shifts[likelihood.argmax()])), (float(likely[0]), float(likely[-1]))


@dataclass(frozen=True, slots=True)
class _Curves:
    """All curves that are compared, `parameters` [n] each, and the logarithms of their probabilities [sizes,n]."""

    parameters: tuple[Floats, Floats, Floats]
    log_found: Floats
    log_missed: Floats


@lru_cache(maxsize=64)
def _curves(sizes: tuple[float, ...]) -> _Curves:
    logs = np.log2(np.array(sizes))
    midpoints = np.arange(-BEYOND, 12.0 + BEYOND, STEP)
    midpoints = midpoints[(midpoints >= logs[0] - BEYOND) & (midpoints <= logs[-1] + BEYOND)]
    grid = np.meshgrid(midpoints, STEEPNESS, LAPSES, indexing="ij")
    middle, steep, lapse = (each.ravel() for each in grid)
    share = (1 - lapse) * expit((logs[:, None] - middle) / steep)
    share = np.clip(share, 1e-9, 1 - 1e-9)
    return _Curves((middle, steep, lapse), np.log(share), np.log1p(-share))


def _log_sizes(midpoints: Floats, steepness: Floats, lapses: Floats, probability: float) -> Floats:
    needed = probability / (1 - lapses)
    reached = needed < 1
    found = np.full(len(midpoints), np.inf)
    found[reached] = midpoints[reached] + steepness[reached] * logit(needed[reached])
    return found
