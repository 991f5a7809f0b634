"""Geometry of a certificate: the curves of the probability of detection, and the map over the picture."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import log2

from app.artifacts import CertificateRecord, GradeRecord, PlaceRecord
from app.evaluation.report.plots import SIDE, Tick
from app.scoring import Detection, Tried, fit_detection, share_interval

SAMPLES = 60  # points of a drawn curve
LONGEST = 400  # the longer edge of the map in SVG units

FULL = 1.0
"""The factor of a cell of the map with the full colour, in octaves."""


@dataclass(frozen=True, slots=True)
class Dot:
    """The share of marks of a size that was found, with its interval: coordinates of SVG."""

    x: float
    y: float
    low: float
    high: float
    text: str


@dataclass(frozen=True, slots=True)
class Curve:
    """The probability of detection of a kind and contrast: paths of the curve and of its interval, and the trials."""

    title: str
    line: str
    band: str
    dots: tuple[Dot, ...]
    size_at: float | None


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of the map over the picture."""

    x: float
    y: float
    width: float
    height: float
    opacity: float
    worse: bool
    text: str
    title: str


@dataclass(frozen=True, slots=True)
class CertificateDrawing:
    """What the page draws: the curves of each kind, the ticks of their axis, and the map."""

    curves: Mapping[str, tuple[Curve, ...]]
    ticks: tuple[Tick, ...]
    cells: tuple[Cell, ...]
    width: float
    height: float


def draw_certificate(record: CertificateRecord) -> CertificateDrawing:
    """The curves and the map of a certificate."""
    sizes = [each.size for grade in record.grades for each in grade.tried]
    low, high = (log2(min(sizes)), log2(max(sizes))) if sizes else (0.0, 1.0)
    axis = low - 0.5, high + 0.5
    ticks = tuple(
        Tick(round(_x(2.0**power, axis), 2), str(2**power)) for power in range(12) if axis[0] <= power <= axis[1]
    )
    curves: dict[str, list[Curve]] = {}
    for grade in record.grades:
        if grade.tried:
            curves.setdefault(grade.kind, []).append(_curve(grade, axis))
    height, width = record.size
    scale = LONGEST / max(height, width)
    own = tuple(_cell(place, number, record, scale) for number, place in enumerate(record.places))
    return CertificateDrawing(
        {kind: tuple(found) for kind, found in curves.items()},
        ticks,
        own,
        round(width * scale, 2),
        round(height * scale, 2),
    )


def _curve(grade: GradeRecord, axis: tuple[float, float]) -> Curve:
    fitted = fit_detection([Tried(each.size, each.tried, each.found) for each in grade.tried])
    sizes = [2 ** (axis[0] + (axis[1] - axis[0]) * number / SAMPLES) for number in range(SAMPLES + 1)]
    dots = []
    for each in grade.tried:
        low, high = share_interval(each.found, each.tried)
        text = f"{each.size} px: {each.found} of {each.tried} found, 95 % interval {low:.0%} to {high:.0%}"
        dots.append(Dot(round(_x(each.size, axis), 2), _y(each.found / each.tried), _y(low), _y(high), text))
    line = "M" + "L".join(f"{_x(size, axis):.1f} {_y(fitted.probability(size))}" for size in sizes)
    at = None if grade.smallest is None else round(_x(grade.smallest, axis), 2)
    return Curve(f"{100 * grade.contrast:.3g} % contrast", line, _band(fitted, sizes, axis), tuple(dots), at)


def _band(fitted: Detection, sizes: list[float], axis: tuple[float, float]) -> str:
    ends = [(_x(size, axis), *fitted.probability_interval(size)) for size in sizes]
    upper = "L".join(f"{x:.1f} {_y(high)}" for x, _, high in ends)
    lower = "L".join(f"{x:.1f} {_y(low)}" for x, low, _ in reversed(ends))
    return f"M{upper}L{lower}Z"


def _cell(place: PlaceRecord, number: int, record: CertificateRecord, scale: float) -> Cell:
    rows, columns = record.grid
    row, column = divmod(number, columns)
    height, width = record.size[0] * scale / rows, record.size[1] * scale / columns
    octaves = abs(log2(place.factor))
    title = (
        f"row {row + 1}, column {column + 1}: {place.found} of {place.tried} marks found, marks must be "
        f"{place.factor:.2g} times as large as elsewhere (95 % interval {place.low:.2g} to {place.high:.2g})"
    )
    values = round(column * width, 2), round(row * height, 2), round(width, 2), round(height, 2)
    strength = round(min(octaves / FULL, 1.0) * 0.8, 3)
    return Cell(*values, strength, place.factor > 1, f"{place.factor:.2g}" if place.tried else "", title)


def _x(size: float, axis: tuple[float, float]) -> float:
    return SIDE * (log2(size) - axis[0]) / (axis[1] - axis[0])


def _y(share: float) -> float:
    return round(SIDE * (1 - share), 1)
