"""Metrics by their definitions, over all thresholds and pairs at once."""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Values = NDArray[np.floating]
Labels = NDArray[np.bool_]


def pairwise_auroc(scores: Values, anomalous: Labels) -> float:
    """The share of pairs in which the anomalous value exceeds the normal one; ties count half."""
    high, low = (scores[chosen].astype(np.float64) for chosen in (anomalous, ~anomalous))
    pairs = np.sign(high[:, None] - low[None]) / 2 + 0.5
    return float(pairs.mean())


def average_precision(scores: Values, anomalous: Labels) -> float:
    """The sum over all thresholds of precision times the increase of recall."""
    total, recall_before = 0.0, 0.0
    for threshold in np.unique(scores)[::-1]:
        taken = scores >= threshold
        recall = (taken & anomalous).sum() / anomalous.sum()
        total += (recall - recall_before) * (taken & anomalous).sum() / taken.sum()
        recall_before = recall
    return float(total)


def best_f1(scores: Values, anomalous: Labels) -> tuple[float, float]:
    """The largest F1 of all thresholds, and the lowest threshold with this F1."""
    found = []
    for threshold in np.unique(scores):
        taken = scores >= threshold
        found.append((2 * (taken & anomalous).sum() / (taken.sum() + anomalous.sum()), -threshold))
    f1, threshold = max(found)
    return float(f1), float(-threshold)


def aupro(maps: list[Values], masks: list[Labels], limit: float) -> float:
    """The area under the mean overlap of regions against the false-positive rate, up to a limit and divided by it."""
    scores = np.concatenate([each.ravel() for each in maps])
    normal = ~np.concatenate([mask.ravel() for mask in masks])
    points = [(0.0, 0.0)]
    for threshold in np.unique(scores)[::-1]:
        overlaps = []
        for anomaly_map, mask in zip(maps, masks, strict=True):
            labels, count = ndimage.label(mask, np.ones((3, 3)))
            overlaps += [(anomaly_map[labels == number] >= threshold).mean() for number in range(1, count + 1)]
        points.append(((scores[normal] >= threshold).mean(), float(np.mean(overlaps))))
    area = 0.0
    for (x0, y0), (x1, y1) in pairwise(points):
        if x0 < limit < x1:
            x1, y1 = limit, y0 + (y1 - y0) * (limit - x0) / (x1 - x0)
        if x1 <= limit:
            area += (x1 - x0) * (y0 + y1) / 2
    return area / limit
