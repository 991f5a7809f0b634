"""From the distances of cells to a map of pixels, in bands of rows, so that only the result has the picture's size."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from app.scoring.interpolation import RADIUS, Scale, Upsampling, weights

ROWS, COLUMNS = 256, 512
"""How many of a map are made at once: few, so that they see few cells, but not so few that starting the work counts."""


@dataclass(frozen=True, slots=True)
class MapRule:
    """How a detector's map is made: how cells are enlarged, how layers are combined, whether the result is blurred."""

    upsampling: Upsampling
    combine: Literal["sum", "product"] = "sum"
    blur: bool = False


@dataclass(frozen=True, slots=True)
class Grid:
    """Distances of cells, [h,w] float32, and how many of them a pixel measures along each edge."""

    distances: Tensor
    cells_per_pixel: tuple[float, float]


def fill_map(out: Tensor, grids: Sequence[Grid], rule: MapRule) -> Iterator[None]:
    """Writes the map of the distances of each layer's cells into `out`, [H,W] float32, a band of rows a step."""
    height, width = out.shape
    # A sum is blurred layer by layer, on its way to pixels. A product is made of pixels, and they are its blur's cells.
    linear = rule.combine == "sum" or len(grids) == 1
    layers = [_layer(grid, height, width, rule.upsampling, rule.blur and linear) for grid in grids]
    for top in range(0, height, ROWS):
        bottom = min(top + ROWS, height)
        if linear or not rule.blur:
            _combine(layers, top, out[top:bottom], rule.combine)
        else:
            start, stop = max(top - RADIUS, 0), min(bottom + RADIUS, height)
            product = torch.empty(stop - start, width, device=out.device)
            _combine(layers, start, product, rule.combine)
            down, across = (Scale(edge, edge, 1.0, "nearest", blur=True) for edge in (height, width))
            _Layer(product, down, across, start).write(top, out[top:bottom])
        yield


def fill_resized(out: Tensor, found: Tensor) -> Iterator[None]:
    """Writes a map [h,w] into `out`, [H,W] float32, at its size, bilinear, a band of rows a step."""
    ratios = found.shape[0] / out.shape[0], found.shape[1] / out.shape[1]
    yield from fill_map(out, [Grid(found, ratios)], MapRule("bilinear"))


@dataclass(frozen=True, slots=True)
class _Layer:
    """Cells and how they become pixels; the first row is number `first_row` of the grid."""

    cells: Tensor
    down: Scale
    across: Scale
    first_row: int = 0

    def write(self, top: int, out: Tensor, beta: float = 0.0) -> None:
        """Rows `top` and following of the enlarged grid, added to `beta` times `out`."""
        down = weights(self.down, top, top + len(out), out.device)
        rows = self.cells[down.first - self.first_row :][: down.shares.shape[1]]
        wide = torch.empty(len(rows), out.shape[1], device=out.device)
        for left in range(0, out.shape[1], COLUMNS):
            right = min(left + COLUMNS, out.shape[1])
            across = weights(self.across, left, right, out.device)
            columns = slice(across.first, across.first + across.shares.shape[1])
            torch.mm(rows[:, columns], across.shares.T, out=wide[:, left:right])
        torch.addmm(out, down.shares, wide, beta=beta, out=out)


def _layer(grid: Grid, height: int, width: int, upsampling: Upsampling, blur: bool) -> _Layer:
    edges = zip(grid.distances.shape, (height, width), grid.cells_per_pixel, strict=True)
    down, across = (Scale(cells, pixels, scale, upsampling, blur) for cells, pixels, scale in edges)
    return _Layer(grid.distances, down, across)


def _combine(layers: Sequence[_Layer], top: int, out: Tensor, combine: Literal["sum", "product"]) -> None:
    """Writes rows `top` and following of the layers' sum or product."""
    layers[0].write(top, out)
    for layer in layers[1:]:
        if combine == "sum":
            layer.write(top, out, beta=1.0)
        else:
            factor = torch.empty_like(out)
            layer.write(top, factor)
            out.mul_(factor)
