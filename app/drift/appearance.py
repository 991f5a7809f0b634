"""Plain statistics of one picture and of its anomaly map.

Each statistic depends on one picture only, so that pictures of the training and served pictures are exchangeable as
long as the camera stays the same. Statistics of positions are relative to the median of all positions, so that a change
of the whole picture does not change them.
"""

from collections.abc import Iterator, Mapping
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from app.tiling import Size

Array = NDArray[np.float32]

LINES = 64
"""The number of rows and of columns of a picture that are read, so that large pictures cost little more."""

MOST_CELLS = 8
"""The largest number of positions along one axis; neighbouring tiles of larger pictures share a position."""

UNTILED = (4, 4)
EPSILON = 0.1  # grey values, so that logarithms of even pictures are finite
COARSE = 4  # pixels; a blur changes differences at this distance less than those of neighbours
BORDER = 12  # pixels along an edge in which new content shows after a small shift
BESIDE = 32  # pixels

Statistic = Literal["brightness", "highlights", "contrast", "sharpness", "border", "centre", "score", "level"]

WHOLE: Mapping[str, Statistic] = {
    "brightness": "brightness",
    "highlights": "highlights",
    "contrast": "contrast",
    "sharpness": "sharpness",
    **{f"border-{side}-{end}": "border" for side in ("left", "right", "top", "bottom") for end in ("low", "high")},
    "centre-row": "centre",
    "centre-column": "centre",
    "score": "score",
    "level": "level",
}
"""The statistics of whole pictures by their names.

brightness: the logarithm of the median
highlights: the logarithm of the value that the brightest tenth exceeds, which varies less between surfaces
contrast: the logarithm of the standard deviation
sharpness: the logarithm of differences of neighbours, over those of pixels 4 apart
border-*-low, -high: the weakest and the strongest step between lines near an edge, over those further inside
centre-*: the centre of the contours, as a share of the edge
score: the raw score
level: the mean of the anomaly map
"""

Appearance = dict[str, float]
"""Statistics by their names; those of a position are named `brightness@ROW,COLUMN`."""


def grid_of(tiled: bool, stride: Size, size: Size) -> Size:
    """The (rows, columns) of positions for pictures of `size`: about one for each tile, at most 8 x 8."""
    if not tiled:
        return UNTILED
    rows, columns = (min(max(round(edge / step), 1), MOST_CELLS) for edge, step in zip(size, stride, strict=True))
    return rows, columns


def appearance(picture: Tensor, grid: Size) -> Appearance:
    """The statistics of a picture [C,H,W] uint8 or uint16 on the CPU."""
    pixels = picture.numpy()
    scale = np.float32(1 if pixels.dtype == np.uint8 else 1 / 257)  # to 255 grey values
    rows = _grey(pixels[:, :: max(1, pixels.shape[1] // LINES)], scale)  # [r,W], neighbours along x are kept
    columns = _grey(pixels[:, :, :: max(1, pixels.shape[2] // LINES)], scale).T  # [c,H]
    found: Appearance = {}
    sample = np.sort(rows[::2, ::3], axis=None)
    middle, bright = sample[len(sample) // 2], sample[len(sample) * 9 // 10]
    found["brightness"], found["highlights"] = _log(middle), _log(bright)
    found["contrast"] = _log(rows.std())
    across, down = _steps(rows), _steps(columns)
    found["sharpness"] = (_fineness(rows, across) + _fineness(columns, down)) / 2
    for lines, sides, axis in ((across, ("left", "right"), "column"), (down, ("top", "bottom"), "row")):
        profile = lines.mean(0)
        for side, ordered in zip(sides, (profile, profile[::-1]), strict=True):
            found |= _border(ordered, side)
        weights = profile + EPSILON
        found[f"centre-{axis}"] = float(np.average(np.linspace(0, 1, len(profile)), weights=weights))
    found |= _relative("brightness", _cells(rows, grid), EPSILON)
    found |= _relative("sharpness", _cells(across, grid), EPSILON)
    return found


def map_levels(anomaly_map: Tensor, raw_score: float, grid: Size) -> Appearance:
    """The statistics of a map [H,W] float32 on the CPU, not normalised, and of the raw score of its picture."""
    values = anomaly_map.numpy()
    part = values[:: max(1, values.shape[0] // LINES), :: max(1, values.shape[1] // LINES)]
    level = float(part.mean())
    found = {"score": raw_score, "level": level}
    return found | _relative("level", np.abs(_cells(part, grid)), 1e-12)


def position_names(grid: Size) -> set[str]:
    """The names of the statistics of all positions of a grid."""
    empty = np.zeros(grid, np.float32)
    return {name for kind in ("brightness", "sharpness", "level") for name, _ in _named(kind, empty)}


def _grey(pixels: NDArray[np.generic], scale: np.float32) -> Array:
    grey: Array = pixels[0].astype(np.float32) if len(pixels) == 1 else pixels.mean(0, dtype=np.float32)
    return grey * scale


def _log(value: float | np.float32) -> float:
    return float(np.log(value + EPSILON))


def _steps(lines: Array) -> Array:
    """The differences of neighbours along the last axis; of lines of one pixel, a single 0."""
    if lines.shape[-1] < 2:
        return np.zeros((len(lines), 1), np.float32)
    return np.abs(np.diff(lines, axis=-1))


def _fineness(lines: Array, steps: Array) -> float:
    if lines.shape[-1] <= COARSE:
        return 0.0
    coarse = np.abs(lines[:, COARSE:] - lines[:, :-COARSE])
    return _log(steps.mean()) - _log(coarse.mean())


def _border(profile: Array, side: str) -> Appearance:
    """Extremes of the steps along an edge: copied or filled lines have none, and a seam has a large one."""
    near, inside = profile[:BORDER], profile[BORDER : BORDER + BESIDE]
    usual = _log(inside.mean()) if len(inside) else 0.0
    return {
        f"border-{side}-low": _log(near.min()) - usual,
        f"border-{side}-high": _log(near.max()) - usual,
    }


def _cells(values: Array, grid: Size) -> Array:
    """The means [rows,columns] of the cells of a grid over the values [h,w]."""
    rows, columns = (np.arange(count) * edge // count for count, edge in zip(grid, values.shape, strict=True))
    if min(values.shape[0] // grid[0], values.shape[1] // grid[1]) < 1:  # fewer values than cells
        return np.full(grid, values.mean(), np.float32)
    sums = np.add.reduceat(np.add.reduceat(values, rows, axis=0), columns, axis=1)
    counts = np.diff(rows, append=values.shape[0])[:, None] * np.diff(columns, append=values.shape[1])
    means: Array = (sums / counts).astype(np.float32)
    return means


def _relative(name: str, cells: Array, least: float) -> Appearance:
    """The logarithms of cells, less their median, which one cell that has changed does not move."""
    logs = np.log(cells.astype(np.float64) + least)
    return dict(_named(name, logs - np.median(logs)))


def _named(name: str, cells: NDArray[np.floating]) -> Iterator[tuple[str, float]]:
    for (row, column), value in np.ndenumerate(cells):
        yield f"{name}@{row},{column}", float(value)
