"""Upsampling of cells to pixels, and blurring, along one edge: a product with a small matrix.

Both operations are linear and separable: the map of a grid G of cells is A_y G A_x^T. A pixel depends only on the cells
near it. So a block of pixels is a product of small dense matrices and the few cells on which the block depends.
"""

from dataclasses import dataclass
from functools import lru_cache
from math import exp
from typing import Literal

import torch
from torch import Tensor

Upsampling = Literal["nearest", "bilinear", "aligned"]


@dataclass(frozen=True, slots=True)
class Scale:
    """How cells along an edge are enlarged to pixels.

    cells: the number of cells along the edge
    pixels: the number of pixels along the edge
    cells_per_pixel: the size of a pixel in cells, such as 1 / 8 for a stride of 8
    upsampling: the interpolation; `aligned` is bilinear, with the centres of the first and last cells on the first and
        last pixels
    blur_sigma: the standard deviation in pixels of the Gaussian that blurs the pixels, with reflection at the edges; 0:
        no blur
    """

    cells: int
    pixels: int
    cells_per_pixel: float
    upsampling: Upsampling
    blur_sigma: float = 0.0


@dataclass(frozen=True, slots=True)
class Weights:
    """The weights with which neighbouring cells are summed up to pixels.

    first: the number of the first of these cells
    shares: the weight of each of these cells in each pixel, [pixels,cells]
    """

    first: int
    shares: Tensor


@lru_cache(maxsize=1024)  # enough for 8192 x 8192 pixels with four grids; about 30 KiB each
def weights(scale: Scale, start: int, stop: int, device: torch.device) -> Weights:
    """The weights of pixels `start` to `stop`, `stop` excluded: float32, computed in float64; rows sum to 1."""
    with torch.inference_mode(False):  # cached tensors are also used with gradients
        before, after, share = _positions(_seen(scale, start, stop), scale)
        first, last = int(before.min()), int(after.max())
        shares = torch.zeros(len(before), last + 1 - first, dtype=torch.float64)
        rows = torch.arange(len(before))
        shares[rows, before - first] = 1 - share
        shares[rows, after - first] += share
        if scale.blur_sigma:
            shares = _window(stop - start, scale.blur_sigma) @ shares
        return Weights(first, shares.float().to(device))


def cells_of(scale: Scale, pixels: range) -> range:
    """The cells on which these pixels depend, blur included."""
    before, after, _ = _positions(_seen(scale, pixels.start, pixels.stop), scale)
    return range(int(before.min()), int(after.max()) + 1)


def _seen(scale: Scale, start: int, stop: int) -> Tensor:
    """The pixels that are interpolated, float64: those from `start` to `stop`, and those that their blur reads.

    Pixels beyond the ends of the edge are reflected.
    """
    margin = blur_radius(scale.blur_sigma)
    return reflected(torch.arange(start - margin, stop + margin), scale.pixels).double()


def _positions(pixels: Tensor, scale: Scale) -> tuple[Tensor, Tensor, Tensor]:
    """For each pixel: the cell before it, the cell after it, and the weight of the latter.

    Follows the conventions of `torch.nn.functional.interpolate`, with the true scale instead of the ratio of the sizes.
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
def _window(pixels: int, sigma: float) -> Tensor:
    """The blur as a matrix [pixels,pixels + 2 * radius]: each row is the Gaussian around one pixel."""
    band = torch.zeros(pixels, pixels + 2 * blur_radius(sigma), dtype=torch.float64)
    for offset, weight in enumerate(gaussian(sigma)):
        band.diagonal(offset)[:] = weight
    return band


def gaussian(sigma: float) -> list[float]:
    """The weights of a blur of this standard deviation along one edge, at distances of -radius to radius pixels."""
    radius = blur_radius(sigma)
    found = [exp(-(x**2) / (2 * sigma**2)) for x in range(-radius, radius + 1)]
    return [weight / sum(found) for weight in found]


def blur_radius(sigma: float) -> int:
    """The pixels on each side of a pixel that a blur of this standard deviation reads, as in anomalib and SciPy."""
    return int(4 * sigma + 0.5)


def reflected(positions: Tensor, length: int) -> Tensor:
    """Any positions, reflected into [0, length) at the first and the last position, which are not repeated."""
    period = max(2 * (length - 1), 1)
    folded = positions.remainder(period)
    return torch.minimum(folded, period - folded) if length > 1 else torch.zeros_like(positions)
