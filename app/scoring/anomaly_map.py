"""From the distances of cells to a map of pixels, in bands of rows, so that only the result has the picture's size."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from app.scoring.blur import RADIUS, gaussian_blur, reflected

BAND_PIXELS = 2**18  # what is at work stays in the processor's cache


@dataclass(frozen=True, slots=True)
class MapRule:
    """How a detector's map is made: how cells are enlarged, how layers are combined, whether the result is blurred.

    `aligned` is bilinear with the centres of the first and last cells on the first and last pixels.
    """

    upsampling: Literal["nearest", "bilinear", "aligned"]
    combine: Literal["sum", "product"] = "sum"
    blur: bool = False


@dataclass(frozen=True, slots=True)
class Grid:
    """Distances of cells, [h,w], and how many cells a pixel measures along each edge: 1 / 8 for a stride of 8."""

    distances: Tensor
    cells_per_pixel: tuple[float, float]


def anomaly_map(grids: Sequence[Grid], size: tuple[int, int], rule: MapRule) -> Tensor:
    """The map of a picture of `size` pixels, [H,W] float32, of the distances of each layer's cells."""
    height, width = size
    device = grids[0].distances.device
    out = torch.empty(size, device=device)
    columns = [_positions(torch.arange(width, device=device), grid, 1, width, rule) for grid in grids]
    margin = RADIUS if rule.blur else 0
    band = max(BAND_PIXELS // width, 4 * margin, 1)
    for top in range(0, height, band):
        bottom = min(top + band, height)
        rows = reflected(torch.arange(top - margin, bottom + margin, device=device), height)
        combined: Tensor | None = None
        for grid, across in zip(grids, columns, strict=True):
            layer = _sample(grid.distances, _positions(rows, grid, 0, height, rule), across)
            if combined is None:
                combined = layer
            else:
                combined = combined.add_(layer) if rule.combine == "sum" else combined.mul_(layer)
        assert combined is not None
        out[top:bottom] = gaussian_blur(combined) if rule.blur else combined
    return out


def resize_map(anomaly_map: Tensor, size: tuple[int, int]) -> Tensor:
    """The map [H,W] at another size, bilinear."""
    if tuple(anomaly_map.shape) == size:
        return anomaly_map
    return F.interpolate(anomaly_map[None, None], size=size, mode="bilinear")[0, 0]


Positions = tuple[Tensor, Tensor, Tensor]
"""For each pixel the cell before it, the one after it, and the share of the latter."""


def _positions(pixels: Tensor, grid: Grid, axis: int, length: int, rule: MapRule) -> Positions:
    """`torch.nn.functional.interpolate`'s conventions, with the true scale instead of the ratio of the sizes."""
    cells, scale = grid.distances.shape[axis], grid.cells_per_pixel[axis]
    if rule.upsampling == "nearest":
        cell = (pixels * scale).floor().long().clamp_(max=cells - 1)
        return cell, cell, torch.zeros(len(pixels), device=pixels.device)
    if rule.upsampling == "aligned":
        position = pixels * ((cells - 1) / max(round(cells / scale) - 1, 1))
    else:
        position = ((pixels + 0.5) * scale - 0.5).clamp_(min=0)
    before = position.floor().clamp_(max=cells - 1)
    return before.long(), (before + 1).clamp_(max=cells - 1).long(), (position - before).clamp_(max=1).float()


def _sample(distances: Tensor, down: Positions, across: Positions) -> Tensor:
    above, below, share = down
    rows = torch.lerp(distances[above], distances[below], share[:, None])
    left, right, share = across
    return torch.lerp(rows.index_select(1, left), rows.index_select(1, right), share)
