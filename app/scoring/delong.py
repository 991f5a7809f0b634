"""Compares the areas under the ROC curves of two models on the same pictures."""

from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, ndtri

from app.scoring.shares import LEVEL


@dataclass(frozen=True, slots=True)
class AurocDifference:
    """The AUROC of the second model less that of the first, with its interval of LEVEL.

    p_value: two-sided, of the hypothesis that both are equal
    """

    difference: float
    low: float
    high: float
    p_value: float


def delong(first: ArrayLike, second: ArrayLike, anomalous: ArrayLike) -> AurocDifference:
    """The difference by DeLong et al. (1988), computed by the ranks of Sun & Xu (2014, IEEE SPL 21, algorithm 2).

    `first`, `second`: the scores of the models, [n] each; `anomalous`: the labels, [n] bool. Raises ValueError unless
    there are two normal and two anomalous pictures. If neither model errs, the interval has no width.
    """
    labels = np.asarray(anomalous, bool)
    positive, negative = int(labels.sum()), int((~labels).sum())
    if min(positive, negative) < 2:
        raise ValueError("DeLong's interval needs at least two normal and two anomalous pictures")
    of_positive, of_negative = zip(*(_placements(np.asarray(each), labels) for each in (first, second)), strict=True)
    gained = np.subtract(of_positive[1], of_positive[0]), np.subtract(of_negative[1], of_negative[0])
    difference = float(gained[0].mean())
    deviation = sqrt(float(gained[0].var(ddof=1)) / positive + float(gained[1].var(ddof=1)) / negative)
    if deviation == 0:
        return AurocDifference(difference, difference, difference, float(difference == 0))
    reach = float(ndtri(0.5 + LEVEL / 2)) * deviation
    p_value = 2 * float(ndtr(-abs(difference) / deviation))
    return AurocDifference(difference, max(difference - reach, -1.0), min(difference + reach, 1.0), p_value)


def _placements(scores: NDArray[np.float64], labels: NDArray[np.bool_]) -> tuple[NDArray[np.float64], ...]:
    """For each anomalous score, the share of normal scores below it; for each normal score, the share of anomalous
    scores above it. Ties count half.
    """
    ranks = _midranks(scores)
    positive, negative = int(labels.sum()), int((~labels).sum())
    of_positive = (ranks[labels] - _midranks(scores[labels])) / negative
    of_negative = 1 - (ranks[~labels] - _midranks(scores[~labels])) / positive
    return of_positive, of_negative


def _midranks(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """The rank of each score, from 1; equal scores have the mean of their ranks."""
    _, place, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks: NDArray[np.float64] = (np.cumsum(counts) - (counts - 1) / 2)[place]
    return ranks
