"""Merges many sorted runs of values into the steps of one ranking, in bounded memory.

The anomalous values are processed from the highest down, in ranges that contain at most `block` of them. Bisection over
the order of the floats finds the lower end of a range. The anomalous values of a range are sorted together; then the
normal values between them are counted, at most `block` at a time. So memory holds at most `block` anomalous values and
as many normal values. With the arrays that `rank` makes of them, that is about 250 bytes times `block`, whatever the
number and the lengths of the runs. A value that occurs more than `block` times is a range of its own, whose values are
counted by bisection and not read.
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.scoring.order_keys import END, Keys, to_values
from app.scoring.steps import Steps


@dataclass(frozen=True, slots=True)
class Runs:
    """Sorted keys, in one run for each picture.

    normal: the keys of a picture's normal values
    anomalous: the keys of a picture's anomalous values
    overlap: for each of the anomalous values, 1 / (pixels of its region)
    """

    normal: Sequence[Keys]
    anomalous: Sequence[Keys]
    overlap: Sequence[NDArray[np.float64]]


def merge(runs: Runs, block: int) -> Iterator[Steps]:
    """The steps of all runs together, the highest value first, in blocks of at most `block` steps."""
    above, upper = 0, END
    while count(runs.anomalous, 0, upper):
        lower = bisect_left(range(upper), True, key=lambda key: count(runs.anomalous, key, upper) <= block)
        if lower == upper:
            lower = upper - 1
            yield _single(runs, lower, above, block)
        elif count(runs.anomalous, lower, upper):
            yield _merged(runs, lower, upper, above, block)
        above += count(runs.normal, lower, upper)
        upper = lower


def count(runs: Sequence[Keys], lower: int, upper: int) -> int:
    """The number of keys in [lower, upper)."""
    return sum(place.stop - place.start for place in (_within(run, lower, upper) for run in runs))


def _within(run: Keys, lower: int, upper: int) -> slice:
    start = int(run.searchsorted(np.uint32(lower)))
    return slice(start, len(run) if upper == END else int(run.searchsorted(np.uint32(upper))))


def _single(runs: Runs, key: int, above: int, block: int) -> Steps:
    """The step of a key that occurs more than `block` times. Its overlaps are read `block` at a time."""
    overlap = 0.0
    for run, shares in zip(runs.anomalous, runs.overlap, strict=True):
        place = _within(run, key, key + 1)
        for start in range(place.start, place.stop, block):
            overlap += float(shares[start : min(start + block, place.stop)].sum())
    found, tied = (np.array([count(part, key, key + 1)]) for part in (runs.anomalous, runs.normal))
    return Steps(to_values(np.array([key], np.uint32)), found, tied, np.array([above]), np.array([overlap]))


def _merged(runs: Runs, lower: int, upper: int, above: int, block: int) -> Steps:
    places = [_within(run, lower, upper) for run in runs.anomalous]
    keys = np.concatenate([run[place] for run, place in zip(runs.anomalous, places, strict=True)])
    shares = np.concatenate([run[place] for run, place in zip(runs.overlap, places, strict=True)])
    order = np.argsort(keys)
    distinct, starts, found = np.unique(keys[order], return_index=True, return_counts=True)
    overlap = np.add.reduceat(shares[order], starts)
    between, tied = _counted(runs.normal, distinct, lower, upper, block)
    over = above + np.cumsum(between[:0:-1])  # highest first: normal values above each
    return Steps(to_values(distinct)[::-1], found[::-1], tied[::-1], over, overlap[::-1])


def _counted(
    normal: Sequence[Keys], distinct: Keys, lower: int, upper: int, block: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Counts the normal keys in [lower, upper) relative to the m distinct anomalous keys.

    [m+1]: the normal keys up to and including the first distinct key, then from each distinct key up to and including
    the next, then above the last. [m]: the normal keys equal to each distinct key.
    """
    between, tied = np.zeros(len(distinct) + 1, np.int64), np.zeros(len(distinct), np.int64)
    for run in normal:
        place = _within(run, lower, upper)
        for start in range(place.start, place.stop, block):
            chunk = run[start : min(start + block, place.stop)]
            position = distinct.searchsorted(chunk)  # of the smallest distinct key that is not less
            between += np.bincount(position, minlength=len(between))
            position = position[distinct.take(position, mode="clip") == chunk]
            tied += np.bincount(position, minlength=len(tied))
    return between, tied
