"""Draws marks, as surfaces have them, on pictures [n,3,s,s]: scratches, dents, stains, foreign patches and print."""

import torch
from torch import Generator, Tensor

from app.synthesis.fields import band_noise, log_uniform, pixels, signs, uniform, wide

PATH_POINTS = 9
STROKES = 4  # in a printed mark


def scratch(pictures: Tensor, generator: Generator) -> Tensor:
    """Adds a thin curve. Its profile is dark, bright or both."""
    return pictures + _height(pictures, generator) * _curve(pictures, generator, 0.6, 3.0)[:, None]


def dent(pictures: Tensor, generator: Generator) -> Tensor:
    """Adds a small ragged ellipse, with an edge that is brighter on one side and darker on the other."""
    n, _, size, _ = pictures.shape
    y, x = _around(n, size, generator)
    radius, stretch = wide(log_uniform(n, 1.5, 16.0, generator)), wide(log_uniform(n, 0.6, 1.6, generator))
    rough = band_noise(size, torch.full((n,), 12.0), torch.full((n,), 0.6), generator)
    rho = ((y * stretch) ** 2 + x**2).sqrt() / radius + 0.15 * rough
    hole = torch.sigmoid((1.0 - rho) * 6.0)
    edge = torch.exp(-0.5 * ((rho - 1.2) / 0.25) ** 2) * ((y + x) / radius).clamp(-1.0, 1.0)
    shape = wide(signs(n, generator)) * (hole + edge * wide(uniform(n, -1.0, 1.0, generator)))
    return pictures + _height(pictures, generator) * shape[:, None]


def stain(pictures: Tensor, generator: Generator) -> Tensor:
    """Discolours an irregular patch."""
    n, _, size, _ = pictures.shape
    colour = torch.randn(n, 3, generator=generator) * 0.7 + torch.randn(n, 1, generator=generator)
    colour = colour / colour.norm(dim=1, keepdim=True).clamp_min(1e-3)
    tint: Tensor = 0.5 * _height(pictures, generator) * colour[:, :, None, None]
    return pictures + tint * _patch(n, size, generator)[:, None]


def foreign(pictures: Tensor, generator: Generator) -> Tensor:
    """Replaces an irregular patch with the same patch of another picture of the batch."""
    n, _, size, _ = pictures.shape
    return pictures + _patch(n, size, generator)[:, None] * (pictures.roll(1, dims=0) - pictures)


def printed(pictures: Tensor, generator: Generator) -> Tensor:
    """Adds a few strokes of one colour, like printed or engraved characters."""
    n = len(pictures)
    ink = torch.stack([_curve(pictures, generator, 1.0, 1.0 + 3.0 * number, bent=0.3) for number in range(STROKES)])
    opacity = wide(uniform(n, 0.3, 1.0, generator)) * ink.abs().amax(0)
    colour = uniform(3 * n, 0.0, 1.0, generator).view(n, 3, 1, 1)
    return pictures + opacity[:, None] * (colour - pictures)


MARKS = (scratch, dent, stain, foreign, printed)


def _height(pictures: Tensor, generator: Generator) -> Tensor:
    """The amplitude of a mark, a random multiple of the picture's contrast: [n,1,1,1]."""
    contrast = pictures.mean(1).flatten(1).std(1) + 0.012
    return (contrast * log_uniform(len(pictures), 0.7, 8.0, generator))[:, None, None, None]


def _curve(pictures: Tensor, generator: Generator, least: float, most: float, bent: float = 0.1) -> Tensor:
    """A random quadratic Bezier curve for each picture: [n,s,s] in about [-1, 1].

    The profile is a Gaussian with a sigma between `least` and `most` pixels. The curvature grows with `bent`.
    """
    n, _, size, _ = pictures.shape
    ends = torch.rand(n, 3, 2, generator=generator) * size
    ends[:, 2] = ends[:, 0] + (ends[:, 2] - ends[:, 0]) * uniform(n, 0.1, 1.0, generator)[:, None]
    ends[:, 1] = 0.5 * (ends[:, 0] + ends[:, 2]) + bent * size * torch.randn(n, 2, generator=generator)
    t = torch.linspace(0.0, 1.0, PATH_POINTS)[None, :, None]
    path = (1 - t) ** 2 * ends[:, :1] + 2 * t * (1 - t) * ends[:, 1:2] + t**2 * ends[:, 2:]  # [n,P,2]
    steps = torch.arange(size, dtype=torch.float32)
    away = distance_to_path(torch.cartesian_prod(steps, steps), path).view(n, size, size)
    core = torch.exp(-0.5 * (away / wide(log_uniform(n, least, most, generator))) ** 2)
    shifted = core.roll(2, dims=1) * wide(uniform(n, -1.0, 1.0, generator).clamp_min(0.0))
    return wide(signs(n, generator)) * (core - shifted)


def distance_to_path(grid: Tensor, path: Tensor) -> Tensor:
    """The distances from the points `grid` [g,2] to n paths of straight segments between points [n,P,2]: [n,g]."""
    nearest = torch.full((len(path), len(grid)), torch.inf)
    for start, end in zip(path[:, :-1].unbind(1), path[:, 1:].unbind(1), strict=True):
        along = (end - start)[:, None]  # [n,1,2]
        offset = grid[None] - start[:, None]  # [n,g,2]
        share = ((offset * along).sum(2) / along.square().sum(2).clamp_min(1e-6)).clamp(0.0, 1.0)
        nearest = torch.minimum(nearest, (offset - share[..., None] * along).square().sum(2))
    return nearest.sqrt()


def _around(n: int, size: int, generator: Generator) -> tuple[Tensor, Tensor]:
    """The coordinates (y, x) relative to a random point in each of n pictures: [n,s,1] and [n,1,s]."""
    y, x = pixels(size)
    return y - wide(uniform(n, 0.0, size, generator)), x - wide(uniform(n, 0.0, size, generator))


def _patch(n: int, size: int, generator: Generator) -> Tensor:
    """The opacity of an irregular patch with a sharp or soft edge: [n,s,s] in [0, 1]."""
    y, x = _around(n, size, generator)
    radius = log_uniform(n, 0.06 * size, 0.45 * size, generator)
    rough = band_noise(size, radius * 1.5, torch.full((n,), 0.6), generator)
    level = 1.0 - (y**2 + x**2).sqrt() / wide(radius) + 0.25 * rough
    return (level * wide(log_uniform(n, 1.0, 10.0, generator))).clamp(0.0, 1.0)
