"""The statistics of normal pictures of a training, reduced to a bounded size."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from app.drift.appearance import MOST_CELLS, Appearance
from app.tiling import Size

MOST_EDGES = 64
MOST_POSITIONS = MOST_CELLS**2
LEAST_PICTURES = 8
MOST_PICTURES = 4096


@dataclass(frozen=True, slots=True)
class Stream:
    """One statistic of `pictures` normal pictures: values of these ranks (from 1), both rising."""

    pictures: int
    ranks: tuple[int, ...]
    values: tuple[float, ...]

    def band(self) -> tuple[float, float]:
        """The values between which the middle 90 % of the pictures lie."""
        low, high = np.interp((0.05 * self.pictures, 0.95 * self.pictures), self.ranks, self.values)
        return float(low), float(high)


@dataclass(frozen=True, slots=True)
class Baseline:
    """The streams of a model by the names of their statistics, and its grid of positions (rows, columns)."""

    grid: Size
    streams: Mapping[str, Stream]


def baseline_of(grid: Size, *parts: Sequence[Appearance]) -> Baseline | None:
    """The baseline of pictures with these statistics; None: there are fewer than LEAST_PICTURES.

    Each part holds statistics of its own, in any order of pictures: of pictures, and of maps. At most the first
    MOST_PICTURES pictures of a part count.
    """
    streams: dict[str, Stream] = {}
    for part in parts:
        if len(part) >= LEAST_PICTURES:
            streams |= {name: _stream(each[name] for each in part[:MOST_PICTURES]) for name in part[0]}
    return Baseline(grid, streams) if streams else None


def _stream(values: Iterable[float]) -> Stream:
    ordered = np.sort(np.array([float(f"{value:.6g}") for value in values]))
    ranks = np.unique(np.linspace(1, len(ordered), min(len(ordered), MOST_EDGES)).round().astype(int))
    return Stream(len(ordered), tuple(ranks.tolist()), tuple(ordered[ranks - 1].tolist()))
