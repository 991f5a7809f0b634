"""Enlarging cells to pixels, and blurring, along one edge, as a matrix of few columns.

Both are linear, and do rows and columns apart: a map is A_y G A_x^T of the grid G of cells. A pixel sees only the cells
near it, and so a block of pixels is the product of a small dense matrix and of the few cells that it shows.
"""

from dataclasses import dataclass
from functools import lru_cache
from math import exp
from typing import Literal

import torch
from torch import Tensor

SIGMA = 4.0  # anomalib's
RADIUS = int(4 * SIGMA + 0.5)

Upsampling = Literal["nearest", "bilinear", "aligned"]


@dataclass(frozen=True, slots=True)
class Scale:
    """How `cells` along an edge are enlarged to `pixels`; a pixel measures `cells_per_pixel`: 1 / 8 for a stride of 8.

    `aligned` is bilinear with the centres of the first and last cells on the first and last pixels. A blur is Gaussian,
    of what is reflected at the edges.
    """

    cells: int
    pixels: int
    cells_per_pixel: float
    upsampling: Upsampling
    blur: bool


@dataclass(frozen=True, slots=True)
class Weights:
    """The share of each of some neighbouring cells, from number `first` on, in each of some pixels: [pixels,cells]."""

    first: int
    shares: Tensor


@lru_cache(maxsize=1024)  # those of a picture of 8192 x 8192 pixels and four grids; some 30 KiB each
def weights(scale: Scale, start: int, stop: int, device: torch.device) -> Weights:
    """What pixels `start` to `stop` are made of; a row of shares adds up to 1. Float32, computed in float64."""
    with torch.inference_mode(False):  # kept for training, too
        before, after, share = _positions(_seen(scale, start, stop), scale)
        first, last = int(before.min()), int(after.max())
        shares = torch.zeros(len(before), last + 1 - first, dtype=torch.float64)
        rows = torch.arange(len(before))
        shares[rows, before - first] = 1 - share
        shares[rows, after - first] += share
        if scale.blur:
            shares = _window(stop - start) @ shares
        return Weights(first, shares.float().to(device))


def cells_of(scale: Scale, pixels: range) -> range:
    """The cells that these pixels are made of."""
    before, after, _ = _positions(_seen(scale, pixels.start, pixels.stop), scale)
    return range(int(before.min()), int(after.max()) + 1)


def _seen(scale: Scale, start: int, stop: int) -> Tensor:
    """Float64: the pixels that are looked at to blur pixels `start` to `stop`, or these themselves."""
    margin = RADIUS if scale.blur else 0
    return reflected(torch.arange(start - margin, stop + margin), scale.pixels).double()


def _positions(pixels: Tensor, scale: Scale) -> tuple[Tensor, Tensor, Tensor]:
    """For each pixel the cell before it, the one after it, and the share of the latter.

    `torch.nn.functional.interpolate`'s conventions, with the true scale instead of the ratio of the sizes.
    """
    last = scale.cells - 1
    if scale.upsampling == "nearest":
        cell = (pixels * scale.cells_per_pixel).floor().long().clamp_(max=last)
        return cell, cell, torch.zeros(len(pixels), dtype=torch.float64)
    if scale.upsampling == "aligned":
        position = pixels * (last / max(round(scale.cells / scale.cells_per_pixel) - 1, 1))
    else:
        position = ((pixels + 0.5) * scale.cells_per_pixel - 0.5).clamp_(min=0)
    before = position.floor().clamp_(max=last)
    return before.long(), (before + 1).clamp_(max=last).long(), (position - before).clamp_(max=1)


@lru_cache(maxsize=4)
def _window(pixels: int) -> Tensor:
    """[pixels,pixels + 2 * RADIUS]: each row is the Gaussian around one pixel."""
    gaussian = [exp(-(x**2) / (2 * SIGMA**2)) for x in range(-RADIUS, RADIUS + 1)]
    band = torch.zeros(pixels, pixels + 2 * RADIUS, dtype=torch.float64)
    for offset, weight in enumerate(gaussian):
        band.diagonal(offset)[:] = weight / sum(gaussian)
    return band


def reflected(positions: Tensor, length: int) -> Tensor:
    """Positions of any size folded back into [0, length), mirrored at the first and the last without repeating them."""
    period = max(2 * (length - 1), 1)
    folded = positions.remainder(period)
    return torch.minimum(folded, period - folded) if length > 1 else torch.zeros_like(positions)
