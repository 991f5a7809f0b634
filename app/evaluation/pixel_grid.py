"""The pixels of each picture, counted between a few values, so that a bootstrap need not read them again.

A bootstrap over pictures repeats the metrics of pixels thousands of times, and cannot rank all pixels each time.
So the pixels of every picture are counted once between CELLS fixed values; sums of these counts give the metrics of a
resample. The values are quantiles: half of them divide the anomalous pixels evenly, a quarter the normal pixels evenly,
and a quarter the normal pixels so that the false-positive rate grows by equal factors. The quantiles of the anomalous
pixels have counts of their own: at the end of a count they would bias it. The model's threshold is one of the values,
so that metrics at the threshold are exact.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.scoring import AUPRO_LIMITS, Runs, to_keys, weighted_aupro, weighted_confusion, weighted_ranking

Floats = NDArray[np.float64]

CELLS = 1024
SAMPLED = 512
"""The keys of each picture from which the quantiles are estimated."""


@dataclass(frozen=True, slots=True)
class PixelGrid:
    """The counts of pixels between m - 1 values, the highest first. About 4 KB for each picture, 12 KB with defects.

    pictures: the numbers of the pictures with known pixels in the evaluation, [p]
    normal: their normal pixels, [p,m]
    defective: which of these p pictures have anomalous pixels, [q]
    anomalous: the anomalous pixels of these, [q,m]
    overlap: the sums of 1 / (pixels of the region) over these pixels, [q,m]
    regions: the number of regions, [q]
    over: the number of leading counts that are over the model's threshold; None without a calibration
    """

    pictures: NDArray[np.int64]
    normal: NDArray[np.uint32]
    defective: NDArray[np.int64]
    anomalous: NDArray[np.uint32]
    overlap: NDArray[np.float32]
    regions: NDArray[np.int64]
    over: int | None

    def metrics(self, weights: Floats) -> Mapping[str, Floats]:
        """The metrics of resamples, [b] each; `weights` are those of all pictures of the evaluation, [b,n]."""
        chosen = weights[:, self.pictures]
        defective = chosen[:, self.defective]
        false, found, overlap = chosen @ self.normal, defective @ self.anomalous, defective @ self.overlap
        regions = defective @ self.regions
        measured = weighted_ranking(found, false)
        for limit in AUPRO_LIMITS:
            measured[f"aupro_{limit}"] = weighted_aupro(false, overlap, regions, limit)
        if self.over is not None:
            over = found[:, : self.over].sum(1), false[:, : self.over].sum(1)
            measured |= weighted_confusion(*over, found.sum(1), false.sum(1))
        return measured


def count_on_grid(
    pictures: NDArray[np.int64], runs: Runs, regions: Sequence[int], threshold: float | None
) -> PixelGrid:
    """Counts the pixels of pictures, numbered `pictures`, [p].

    `runs` has the normal pixels of all of them, and the anomalous pixels of those with regions; `regions` are the
    numbers of regions, [p].
    """
    alone = _quantiles(runs.anomalous, CELLS // 4, False)
    values = [*alone, *(alone + 1), *_quantiles(runs.normal, CELLS // 2, True)]
    if threshold is not None:  # a value equal to the threshold does not exceed it
        at = int(to_keys(np.array([threshold], np.float32))[0])
        values.append(at + 1)
    keys = np.unique(np.array(values, np.int64))[::-1]  # a count holds the keys from one value up to the one before
    defective = np.flatnonzero(regions)
    shape = len(defective), len(keys) + 1
    overlap = np.zeros(shape, np.float32)
    for row, (run, shares) in enumerate(zip(runs.anomalous, runs.overlap, strict=True)):
        sums = np.concatenate([[0.0], np.cumsum(shares)])
        overlap[row] = -np.diff(sums[_places(run, keys)])
    return PixelGrid(
        pictures,
        np.array([_counts(run, keys) for run in runs.normal], np.uint32).reshape(-1, len(keys) + 1),
        defective,
        np.array([_counts(run, keys) for run in runs.anomalous], np.uint32).reshape(shape),
        overlap,
        np.array(regions, np.int64)[defective],
        None if threshold is None else int(np.flatnonzero(keys == at + 1)[0]) + 1,
    )


def _places(run: NDArray[np.uint32], keys: NDArray[np.int64]) -> NDArray[np.int64]:
    """The ends of the counts in a sorted run, from its end to its start: [m + 1]."""
    inside = np.searchsorted(run, keys.clip(0, 2**32 - 1).astype(np.uint32))
    return np.concatenate([[len(run)], np.where(keys > 2**32 - 1, len(run), inside), [0]])


def _counts(run: NDArray[np.uint32], keys: NDArray[np.int64]) -> NDArray[np.int64]:
    return -np.diff(_places(run, keys))


def _quantiles(runs: Sequence[NDArray[np.uint32]], count: int, tail: bool) -> NDArray[np.int64]:
    """About `count` keys that divide all runs together: evenly, or with `tail` more densely towards the highest.

    They are estimated from SAMPLED keys of each run, each of which stands for the keys down to the next.
    """
    samples, shares = [], []
    for run in runs:
        if len(run):
            ranks = _ranks(len(run), SAMPLED, tail)
            samples.append(run[len(run) - ranks].astype(np.int64))
            shares.append(np.diff(np.concatenate([[0], ranks])))
    if not samples:
        return np.zeros(0, np.int64)
    keys, weights = np.concatenate(samples), np.concatenate(shares)
    order = np.argsort(-keys, kind="stable")
    passed = np.cumsum(weights[order])
    return keys[order][np.searchsorted(passed, _ranks(int(passed[-1]), count, tail))]


def _ranks(length: int, count: int, tail: bool) -> NDArray[np.int64]:
    """At most `count` different ranks from 1, the highest, to `length`."""
    even = np.linspace(1, length, count // 2 if tail else count)
    ranks = np.concatenate([even, np.geomspace(1, length, count // 2)]) if tail else even
    return np.unique(np.rint(ranks).astype(np.int64))
