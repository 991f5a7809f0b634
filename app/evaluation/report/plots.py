"""Geometry of the page's plots: coordinates and paths of SVG, computed from values."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import floor, log10

import numpy as np

SIDE = 240
"""Width and height of the area of a curve, in SVG units."""

WIDTH, HALF = 480, 90
"""Width of the histogram's area, and height of each of its halves, in SVG units."""

BINS = 40
LEAST = 2.0
"""The least height of a bar, so that a single picture is visible."""


@dataclass(frozen=True, slots=True)
class Tick:
    """A mark of an axis: its coordinate and its label."""

    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar of a histogram; `y` is its upper end."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Histogram:
    """A histogram of normalised scores: normal pictures upwards, anomalous pictures downwards, on one scale.

    counts: the ticks of the axis of counts, from the middle upwards and downwards
    """

    normal: tuple[Bar, ...]
    anomalous: tuple[Bar, ...]
    counts: tuple[Tick, ...]


def unit_ticks(length: int = SIDE) -> list[Tick]:
    """The ticks of an axis from 0 to 1."""
    return [Tick(length * share, f"{share:g}") for share in (0, 0.25, 0.5, 0.75, 1)]


def line_path(points: Sequence[Sequence[float]]) -> str:
    """A line through points in [0,1] x [0,1]."""
    return "M" + "L".join(f"{_x(x):g} {_y(y):g}" for x, y in points) if points else ""


def step_path(points: Sequence[Sequence[float]]) -> str:
    """Steps whose area is the average precision: each precision holds from the previous recall to its own."""
    if not points:
        return ""
    return f"M0 {_y(points[0][1]):g}" + "".join(f"V{_y(y):g}H{_x(x):g}" for x, y in points)


def decade_ticks(low: int, high: int) -> list[Tick]:
    """The ticks of an upward axis of shares, from 10^low to 10^high, in percent."""
    return [Tick(_y((power - low) / (high - low)), f"{100 * 10.0**power:g} %") for power in range(low, high + 1)]


def decade_path(values: Sequence[float | None], low: int, high: int) -> str:
    """A line through shares at equal distances, on an axis of `decade_ticks`. Shares outside it are drawn at its ends.

    A share that is None is left out.
    """
    known = [
        (number, min(max(value, 10.0**low), 10.0**high)) for number, value in enumerate(values) if value is not None
    ]
    return line_path([((number + 0.5) / len(values), (log10(value) - low) / (high - low)) for number, value in known])


def dot(x: float | None, y: float | None) -> tuple[float, float] | None:
    """The coordinates of a point in [0,1] x [0,1]; None if x or y is None."""
    return None if x is None or y is None else (_x(x), _y(y))


def histogram(normal: Sequence[float], anomalous: Sequence[float]) -> Histogram:
    """The histogram of normalised scores, of at least one picture."""
    counts = [np.histogram(scores, BINS, (0, 1))[0] for scores in (normal, anomalous)]
    highest = max(int(each.max()) for each in counts)
    width = WIDTH / BINS
    bars: list[tuple[Bar, ...]] = []
    for each, upwards in zip(counts, (True, False), strict=True):
        heights = [(number, max(HALF * int(count) / highest, LEAST)) for number, count in enumerate(each) if count]
        bars.append(
            tuple(
                Bar(
                    round(number * width + 1, 2),
                    round(HALF - height if upwards else HALF, 2),
                    width - 2,
                    round(height, 2),
                )
                for number, height in heights
            )
        )
    return Histogram(bars[0], bars[1], tuple(_count_ticks(highest)))


def _count_ticks(highest: int) -> list[Tick]:
    values = [value for value in _round_values(0, highest) if value == int(value)]
    return [Tick(round(HALF - sign * HALF * value / highest, 2), f"{value:g}") for value in values for sign in (1, -1)]


def _round_values(low: float, high: float) -> list[float]:
    """Three to six multiples of 1, 2 or 5 times a power of ten between `low` and `high`."""
    rough = (high - low) / 2
    power = 10.0 ** floor(log10(rough))
    step = max(factor * power for factor in (1, 2, 5) if factor * power <= rough)
    first = -floor(-low / step)
    return [float(f"{number * step:.6g}") for number in range(first, floor(high / step) + 1)]


def _x(share: float) -> float:
    return round(SIDE * share, 2)


def _y(share: float) -> float:
    return round(SIDE * (1 - share), 2)
