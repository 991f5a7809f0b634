"""From the distances of cells to a map of pixels, in bands of rows, so that only the result has the picture's size."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from app.scoring.interpolation import RADIUS, Scale, Upsampling, cells_of, weights

ROWS, COLUMNS = 256, 512
"""How many of a map are made at once: few, so that they see few cells, but not so few that starting the work counts."""


@dataclass(frozen=True, slots=True)
class MapRule:
    """How a detector's map is made: how cells are enlarged, how layers are combined, whether the result is blurred."""

    upsampling: Upsampling
    combine: Literal["sum", "product"] = "sum"
    blur: bool = False


@dataclass(frozen=True, slots=True)
class Extent:
    """Which part of a grid or map of `whole` rows and columns something is: from row and column `first` on."""

    whole: tuple[int, int]
    first: tuple[int, int] = (0, 0)


@dataclass(frozen=True, slots=True)
class Grid:
    """Distances of cells, [h,w] float32, how many of them a pixel measures along each edge, and which cells they are:
    by default all.
    """

    distances: Tensor
    cells_per_pixel: tuple[float, float]
    extent: Extent | None = None


def fill_map(out: Tensor, grids: Sequence[Grid], rule: MapRule, extent: Extent | None = None) -> Iterator[None]:
    """Writes the map of the distances of each layer's cells into `out`, [H,W] float32, a band of rows a step.

    With a `extent`, `out` is that part of the map, and the grids must have the cells that it needs: `cells_of_map`.
    """
    extent = extent or _whole(out)
    (height, width), (first, left) = extent.whole, extent.first
    # Sums can be blurred per layer while upsampling; a product must be formed at pixel scale first.
    linear = rule.combine == "sum" or len(grids) == 1
    layers = [_layer(grid, extent.whole, rule.upsampling, rule.blur and linear) for grid in grids]
    for band in torch.split(out, ROWS):
        if linear or not rule.blur:
            _combine(layers, first, left, band, rule.combine)
        else:
            rows, columns = _blurred(first, len(band), height), _blurred(left, band.shape[1], width)
            product = torch.empty(len(rows), len(columns), device=out.device)
            _combine(layers, rows.start, columns.start, product, rule.combine)
            down, across = (Scale(edge, edge, 1.0, "nearest", blur=True) for edge in extent.whole)
            _Layer(product, down, across, (rows.start, columns.start)).write(first, left, band)
        first += len(band)
        yield


def fill_resized(out: Tensor, found: Tensor, extent: Extent | None = None, of: Extent | None = None) -> Iterator[None]:
    """Writes a map [h,w] into `out`, [H,W] float32, at its size, bilinear, a band of rows a step.

    With a `extent`, `out` is that part of the resized map, and `found` is `of` the one before: `pixels_of_resized`.
    """
    before, after = of or _whole(found), extent or _whole(out)
    ratios = before.whole[0] / after.whole[0], before.whole[1] / after.whole[1]
    yield from fill_map(out, [Grid(found, ratios, before)], MapRule("bilinear"), after)


def cells_of_map(pixels: range, length: int, cells: int, cells_per_pixel: float, rule: MapRule) -> range:
    """Which of the `cells` along an edge are needed for these of the `length` pixels of a map."""
    return cells_of(Scale(cells, length, cells_per_pixel, rule.upsampling, rule.blur), pixels)


def pixels_of_resized(pixels: range, length: int, before: int) -> range:
    """Which of the `before` pixels along a map's edge are needed for these of the `length` that it is resized to."""
    return cells_of_map(pixels, length, before, before / length, MapRule("bilinear"))


def _whole(grid: Tensor) -> Extent:
    return Extent((grid.shape[0], grid.shape[1]))


def _blurred(first: int, count: int, length: int) -> range:
    """What is looked at to blur `count` pixels from `first` on."""
    return range(max(first - RADIUS, 0), min(first + count + RADIUS, length))


@dataclass(frozen=True, slots=True)
class _Layer:
    """Cells and how they become pixels; the first one is at row and column `first` of the grid."""

    cells: Tensor
    down: Scale
    across: Scale
    first: tuple[int, int] = (0, 0)

    def write(self, top: int, left: int, out: Tensor, beta: float = 0.0) -> None:
        """Rows `top` and columns `left` and following of the enlarged grid, added to `beta` times `out`."""
        down = weights(self.down, top, top + len(out), out.device)
        rows = self.cells[down.first - self.first[0] :][: down.shares.shape[1]]
        wide = torch.empty(len(rows), out.shape[1], device=out.device)
        for part in torch.split(wide, COLUMNS, 1):
            across = weights(self.across, left, left + part.shape[1], out.device)
            columns = rows[:, across.first - self.first[1] :][:, : across.shares.shape[1]]
            torch.mm(columns, across.shares.T, out=part)
            left += part.shape[1]
        torch.addmm(out, down.shares, wide, beta=beta, out=out)


def _layer(grid: Grid, size: tuple[int, int], upsampling: Upsampling, blur: bool) -> _Layer:
    part = grid.extent or _whole(grid.distances)
    edges = zip(part.whole, size, grid.cells_per_pixel, strict=True)
    down, across = (Scale(cells, pixels, scale, upsampling, blur) for cells, pixels, scale in edges)
    return _Layer(grid.distances, down, across, part.first)


def _combine(layers: Sequence[_Layer], top: int, left: int, out: Tensor, combine: Literal["sum", "product"]) -> None:
    """Writes rows `top` and columns `left` and following of the layers' sum or product."""
    layers[0].write(top, left, out)
    for layer in layers[1:]:
        if combine == "sum":
            layer.write(top, left, out, beta=1.0)
        else:
            factor = torch.empty_like(out)
            layer.write(top, left, factor)
            out.mul_(factor)
