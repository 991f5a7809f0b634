"""Exact metrics over all thresholds, computed in one pass over blocks of steps."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.scoring.curve import Points, thin, thin_along
from app.scoring.steps import Steps, Totals

AUPRO_LIMITS = (0.3, 0.05)
"""The false-positive rates up to which the overlap of regions is averaged: those of MVTec AD and of MVTec AD 2."""


@dataclass(frozen=True, slots=True)
class BestF1:
    """The largest F1 of all thresholds. Values equal to `threshold` count as anomalous here.

    Of several thresholds with the same F1, `threshold` is the lowest, as in the reference library.
    """

    f1: float
    threshold: float
    precision: float
    recall: float


@dataclass(frozen=True, slots=True)
class Ranking:
    """Metrics that depend on no chosen threshold; all metrics are in [0, 1].

    auroc: the area under the ROC curve
    average_precision: the sum of precision times the rise of recall (no interpolation)
    best_f1: the largest F1 of all thresholds
    aupro: for each of AUPRO_LIMITS, the area under the mean overlap of regions against the false-positive rate up to
        the limit, divided by the limit (Bergmann et al. 2020); empty without regions
    roc: the curve of (false-positive rate, true-positive rate)
    precision_recall: the curve of (recall, precision)

    The curves are thinned; the metrics are computed from all points.
    """

    auroc: float
    average_precision: float
    best_f1: BestF1
    aupro: Mapping[float, float]
    roc: Points
    precision_recall: Points


def rank(blocks: Iterable[Steps], totals: Totals) -> Ranking:
    """The metrics of a ranking. `blocks` are its steps, the highest value first; one block is held at a time.

    Raises ValueError unless there are normal and anomalous values.
    """
    if not totals.normal or not totals.anomalous:
        raise ValueError("a ranking needs normal and anomalous values")
    best = BestF1(0.0, 0.0, 0.0, 0.0)
    ordered, precisions, found, passed, overlap = 0, 0.0, 0, 0, 0.0
    aupro = dict.fromkeys(AUPRO_LIMITS if totals.regions else (), 0.0)
    roc, precision_recall = np.zeros((1, 2)), np.empty((0, 2))
    for steps in blocks:
        ordered += _ordered_pairs(steps, totals.normal)
        true, false = found + np.cumsum(steps.found), steps.above + steps.tied
        precision, recall = true / (true + false), true / totals.anomalous
        precisions += float(steps.found @ precision)
        best = _better(best, steps.values, precision, recall, 2 * true / (true + false + totals.anomalous))
        precision_recall = thin_along(np.concatenate([precision_recall, np.stack([recall, precision], 1)]))
        rates = _corners(passed, steps.above, false) / totals.normal
        shares = _corners(found, np.concatenate([[found], true[:-1]]), true) / totals.anomalous
        roc = thin(np.concatenate([roc, np.stack([rates, shares], 1)]))
        covered = overlap + np.cumsum(steps.overlap)
        heights = _corners(overlap, np.concatenate([[overlap], covered[:-1]]), covered)
        for limit in aupro:
            aupro[limit] += _area(rates, heights, limit)
        found, passed, overlap = int(true[-1]), int(false[-1]), float(covered[-1])
    end = passed / totals.normal
    for limit in aupro:
        aupro[limit] = (aupro[limit] + max(limit - end, 0.0) * overlap) / totals.regions / limit
    average_precision = precisions / totals.anomalous
    roc = thin(np.concatenate([roc, np.ones((1, 2))]))
    return Ranking(_auroc(ordered, totals), average_precision, best, aupro, roc, precision_recall)


def _ordered_pairs(steps: Steps, normal: int) -> int:
    """Twice the number of pairs of an anomalous value and a lower normal value, ties counting half: an exact integer.

    Factors are split into halves of 31 bits, so that sums of up to 2^32 anomalous and 2^61 normal values fit into 64
    bits.
    """
    doubled = 2 * (normal - steps.above - steps.tied) + steps.tied
    return (int(steps.found @ (doubled >> 31)) << 31) + int(steps.found @ (doubled & (2**31 - 1)))


def _auroc(ordered: int, totals: Totals) -> float:
    return ordered / (2 * totals.anomalous * totals.normal)


def _better(
    best: BestF1,
    values: NDArray[np.floating],
    precision: NDArray[np.float64],
    recall: NDArray[np.float64],
    f1: NDArray[np.float64],
) -> BestF1:
    last = len(f1) - 1 - int(f1[::-1].argmax())
    if f1[last] < best.f1:
        return best
    return BestF1(float(f1[last]), float(values[last]), float(precision[last]), float(recall[last]))


def _corners(start: int | float, before: NDArray[np.number], after: NDArray[np.number]) -> NDArray[np.float64]:
    """One coordinate of a curve's corners, [2m+1]: its start, then its value before and after each step in turn."""
    corners = np.empty(2 * len(before) + 1)
    corners[0], corners[1::2], corners[2::2] = start, before, after
    return corners


def _area(x: NDArray[np.float64], y: NDArray[np.float64], limit: float) -> float:
    """The area under the polyline through the points, whose x rises, from the first point up to x = limit."""
    inside = int(np.searchsorted(x, limit, "right"))  # points up to the limit
    area = float(np.trapezoid(y[:inside], x[:inside])) if inside else 0.0
    if not 0 < inside < len(x):
        return area
    x0, x1, y0, y1 = x[inside - 1], x[inside], y[inside - 1], y[inside]
    reached = y0 + (y1 - y0) * (limit - x0) / (x1 - x0)
    return area + float((limit - x0) * (y0 + reached) / 2)
