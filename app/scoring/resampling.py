"""The bootstrap over pictures (Efron 1979), and the metrics of its resamples.

A resample draws as many normal pictures with replacement as there are, and as many anomalous ones. It is described by
weights: how often each picture is drawn.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray

from app.scoring.shares import LEVEL, Interval

Floats = NDArray[np.float64]

RESAMPLES, SEED = 2000, 0
BLOCK, ROWS = 1 << 20, 512
"""The largest numbers of weights, and of resamples, in one block: metrics need some KB for each resample."""


def resamples(anomalous: ArrayLike, number: int = RESAMPLES) -> Iterator[Floats]:
    """Yields the weights of `number` resamples of n labelled pictures, at least one, in blocks: [b,n] each.

    The seed is fixed, so that two models on the same pictures get the same resamples.
    """
    labels, random = np.asarray(anomalous, bool), np.random.default_rng(SEED)
    rows = min(ROWS, max(1, BLOCK // len(labels)))
    for start in range(0, number, rows):
        count = min(rows, number - start)
        weights = np.zeros((count, len(labels)))
        for members in (np.flatnonzero(~labels), np.flatnonzero(labels)):
            drawn = random.integers(0, len(members), (count, len(members))) if len(members) else np.empty((count, 0))
            place = drawn.astype(np.int64) + np.arange(count)[:, None] * len(members)
            weights[:, members] = np.bincount(place.ravel(), minlength=count * len(members)).reshape(count, -1)
        yield weights


def percentiles(values: ArrayLike) -> Interval | None:
    """The percentile interval of a bootstrap. Leaves out NaN; None if there is nothing else."""
    known = np.asarray(values, np.float64)
    known = known[~np.isnan(known)]
    if not len(known):
        return None
    low, high = np.quantile(known, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def weighted_steps(scores: ArrayLike, anomalous: ArrayLike, weights: Floats) -> tuple[Floats, Floats]:
    """The weights of the anomalous and of the normal pictures at each distinct score, the highest first: [b,m] each."""
    values, labels = np.asarray(scores, np.float64), np.asarray(anomalous, bool)
    order = np.argsort(-values, kind="stable")
    ordered = values[order]
    starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    found, false = (np.add.reduceat((weights * chosen)[:, order], starts, axis=1) for chosen in (labels, ~labels))
    return found, false


def weighted_ranking(found: Floats, false: Floats) -> dict[str, Floats]:
    """AUROC, average precision and best F1 of resamples, [b] each; NaN where one of the labels is missing.

    found, false: the weights of anomalous and of normal values in each step, the highest step first, [b,m] each
    """
    true, passed = found.cumsum(1), false.cumsum(1)
    anomalous, normal = true[:, -1], passed[:, -1]
    with np.errstate(invalid="ignore", divide="ignore"):
        below = normal[:, None] - passed + false / 2
        precision = np.where(true > 0, true / (true + passed), 0.0)
        measured = {
            "auroc": (found * below).sum(1) / (anomalous * normal),
            "average_precision": (found * precision).sum(1) / anomalous,
            "best_f1": (2 * true / (true + passed + anomalous[:, None])).max(1),
        }
    usable = (anomalous > 0) & (normal > 0)
    return {name: np.where(usable, values, np.nan) for name, values in measured.items()}


def weighted_aupro(false: Floats, overlap: Floats, regions: Floats, limit: float) -> Floats:
    """The area under the mean overlap of regions up to a false-positive rate, divided by it: [b]; NaN if undefined.

    false: the weight of normal pixels in each step, [b,m]; overlap: the sum of the regions' shares in each step, [b,m]
    regions: the weight of all regions, [b]
    """
    start = np.zeros((len(false), 1))
    with np.errstate(invalid="ignore", divide="ignore"):
        rates = np.concatenate([start, false.cumsum(1) / false.sum(1, keepdims=True)], 1)
        heights = np.concatenate([start, overlap.cumsum(1) / regions[:, None]], 1)
        x0, x1, y0, y1 = rates[:, :-1], rates[:, 1:], heights[:, :-1], heights[:, 1:]
        end = np.minimum(x1, limit)
        reached = y0 + (y1 - y0) * np.where(x1 > x0, (end - x0) / (x1 - x0), 0.0)
    area: Floats = np.where(x0 < limit, (end - x0) * (y0 + reached) / 2, 0.0).sum(1) / limit
    return np.where((regions > 0) & (false.sum(1) > 0), area, np.nan)


def weighted_confusion(true: Floats, false: Floats, anomalous: Floats, normal: Floats) -> dict[str, Floats]:
    """F1, precision, recall and false-positive rate of resamples at a threshold, [b] each; NaN where undefined.

    true, false: the weights of the anomalous and of the normal values over the threshold, [b] each
    anomalous, normal: the weights of all values with these labels, [b] each
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        return {
            "f1": np.where(anomalous > 0, 2 * true / (true + false + anomalous), np.nan),
            "precision": true / (true + false),
            "recall": true / anomalous,
            "false_positive_rate": false / normal,
        }
