"""Makes a map of pixels from the distances of cells, in blocks: only the result has the picture's size."""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Literal

import torch
from torch import Tensor

from app.scoring.interpolation import Scale, Upsampling, blur_radius, cells_of, weights

BLUR_SIGMA = 4.0
"""The standard deviation of the blur of maps in anomalib, in pixels."""

ROWS, COLUMNS = 256, 512
"""The size of a block of a map that is computed at once.

Small, so that a block depends on few cells; but not so small that the fixed cost of an operation dominates.
"""
BAND_COLUMNS = 16 * COLUMNS
"""The largest width of a band of rows of blocks, which are enlarged along the height together."""


@dataclass(frozen=True, slots=True)
class MapRule:
    """How a detector's map is made of the distances of its layers.

    upsampling: the interpolation that enlarges cells to pixels
    combine: how the maps of several layers become one map
    blur_sigma: the standard deviation in pixels of the Gaussian that blurs that map; 0: no blur
    """

    upsampling: Upsampling
    combine: Literal["sum", "product"] = "sum"
    blur_sigma: float = 0.0


@dataclass(frozen=True, slots=True)
class Extent:
    """A part of a grid or map.

    whole: the (rows, columns) of the whole grid or map
    first: the (row, column) at which the part begins
    """

    whole: tuple[int, int]
    first: tuple[int, int] = (0, 0)


@dataclass(frozen=True, slots=True)
class Grid:
    """The distances of the cells of one layer.

    distances: [h,w] float32
    cells_per_pixel: the (height, width) of a pixel of the map, in cells
    extent: the part of the layer's grid that `distances` covers; None: all of it
    """

    distances: Tensor
    cells_per_pixel: tuple[float, float]
    extent: Extent | None = None


def fill_map(out: Tensor, grids: Sequence[Grid], rule: MapRule, extent: Extent | None = None) -> Iterator[None]:
    """Computes the map of the distances of all layers and writes it into `out`, [H,W] float32, one band a step.

    `extent` is the part of the map that `out` holds; None: all of it. The grids must have the cells on which this part
    depends; `cells_of_map` returns these.
    """
    extent = extent or _whole(out)
    (height, width), (top, first) = extent.whole, extent.first
    # Sums can be blurred per layer while upsampling; a product must be formed at pixel scale first.
    linear = rule.combine == "sum" or len(grids) == 1
    blur = rule.blur_sigma if linear else 0.0
    layers = [_layer(grid, extent.whole, rule.upsampling, blur) for grid in grids]
    for rows in torch.split(out, ROWS):
        left = first
        for band in torch.split(rows, BAND_COLUMNS, 1):
            if linear or not rule.blur_sigma:
                _combine(layers, top, left, band, rule.combine)
            else:
                radius = blur_radius(rule.blur_sigma)
                down, across = _blurred(top, len(band), height, radius), _blurred(left, band.shape[1], width, radius)
                product = torch.empty(len(down), len(across), device=out.device)
                _combine(layers, down.start, across.start, product, rule.combine)
                y, x = (Scale(edge, edge, 1.0, "nearest", rule.blur_sigma) for edge in extent.whole)
                _Layer(product, y, x, (down.start, across.start)).write(top, left, band)
            left += band.shape[1]
            yield
        top += len(rows)


def fill_resized(out: Tensor, found: Tensor, extent: Extent | None = None, of: Extent | None = None) -> Iterator[None]:
    """Resizes the map `found`, [h,w], and writes it into `out`, [H,W] float32; bilinear, one band a step.

    `extent` is the part of the resized map that `out` holds, and `of` the part of the original map that `found` holds;
    None: all of it. `found` must have the pixels on which `out` depends; `pixels_of_resized` returns these.
    """
    before, after = of or _whole(found), extent or _whole(out)
    ratios = before.whole[0] / after.whole[0], before.whole[1] / after.whole[1]
    yield from fill_map(out, [Grid(found, ratios, before)], MapRule("bilinear"), after)


def cells_of_map(pixels: range, length: int, cells: int, cells_per_pixel: float, rule: MapRule) -> range:
    """The cells along an edge on which these pixels of a map depend.

    The whole edge has `length` pixels and `cells` cells; a pixel measures `cells_per_pixel` cells.
    """
    return cells_of(Scale(cells, length, cells_per_pixel, rule.upsampling, rule.blur_sigma), pixels)


def pixels_of_cells(pixels: range, length: int, cells: int, cells_per_pixel: float, rule: MapRule, known: int) -> int:
    """The first of these pixels of a map along an edge that depends on another cell than the first `known` ones.

    The end of `pixels` if there is none; see `cells_of_map`.
    """

    def depends(pixel: int) -> bool:
        own = range(pixel, pixel + 1)
        return cells_of_map(own, length, cells, cells_per_pixel, rule).stop > known

    # A pixel depends on the cell in which it lies, or on a neighbour of it: all pixels that lie further on depend.
    searched = min(max(ceil((known + 2) / cells_per_pixel) - pixels.start, 0), len(pixels))
    return pixels.start + bisect_left(pixels, True, hi=searched, key=depends)


def pixels_of_resized(pixels: range, length: int, before: int) -> range:
    """The pixels of the original map along an edge on which these pixels of the resized map depend.

    The whole edge has `before` pixels in the original map and `length` pixels in the resized map.
    """
    return cells_of_map(pixels, length, before, before / length, MapRule("bilinear"))


def _whole(grid: Tensor) -> Extent:
    return Extent((grid.shape[0], grid.shape[1]))


def _blurred(first: int, count: int, length: int, radius: int) -> range:
    """The pixels that the blur reads to compute `count` pixels from `first` on."""
    return range(max(first - radius, 0), min(first + count + radius, length))


@dataclass(frozen=True, slots=True)
class _Layer:
    """The cells of a layer, and how they become pixels.

    cells: [h,w]
    down: the scale along the height
    across: the scale along the width
    first: the (row, column) of the first cell in the layer's grid
    """

    cells: Tensor
    down: Scale
    across: Scale
    first: tuple[int, int] = (0, 0)

    def write(self, top: int, left: int, out: Tensor, beta: float = 0.0) -> None:
        """Writes the enlarged grid from row `top` and column `left` on into `out`, added to `beta` times its values."""
        down = weights(self.down, top, top + len(out), out.device)
        rows = self.cells[down.first - self.first[0] :][: down.shares.shape[1]]
        wide = torch.empty(len(rows), out.shape[1], device=out.device)
        for part in torch.split(wide, COLUMNS, 1):
            across = weights(self.across, left, left + part.shape[1], out.device)
            columns = rows[:, across.first - self.first[1] :][:, : across.shares.shape[1]]
            torch.mm(columns, across.shares.T, out=part)
            left += part.shape[1]
        torch.addmm(out, down.shares, wide, beta=beta, out=out)


def _layer(grid: Grid, size: tuple[int, int], upsampling: Upsampling, blur_sigma: float) -> _Layer:
    part = grid.extent or _whole(grid.distances)
    edges = zip(part.whole, size, grid.cells_per_pixel, strict=True)
    down, across = (Scale(cells, pixels, scale, upsampling, blur_sigma) for cells, pixels, scale in edges)
    return _Layer(grid.distances, down, across, part.first)


def _combine(layers: Sequence[_Layer], top: int, left: int, out: Tensor, combine: Literal["sum", "product"]) -> None:
    """Writes the layers' sum or product from row `top` and column `left` on into `out`."""
    layers[0].write(top, left, out)
    for layer in layers[1:]:
        if combine == "sum":
            layer.write(top, left, out, beta=1.0)
        else:
            factor = torch.empty_like(out)
            layer.write(top, left, factor)
            out.mul_(factor)
