"""Odd marks on procedural textures: strokes, spots, discolourations and foreign patches, and where they are.

They are what the backbone learns to tell from the texture around them. They are drawn apart from the demo's defects
(`defects.py`): shapes, profiles and colours cover far more than those.
"""

import torch
from torch import Generator, Tensor

from app.synthesis.fields import band_noise, log_uniform, uniform

KINDS = 4  # stroke, spot, discolouration, foreign patch


def add_marks(pictures: Tensor, generator: Generator) -> tuple[Tensor, Tensor]:
    """The pictures ([n,3,s,s], 1.0 = white), each kind of mark on a third of them, and where: [n,KINDS,s,s] bool."""
    n, _, size, _ = pictures.shape
    contrast = pictures.mean(1).flatten(1).std(1) + 0.012  # [n]: a mark has to stand out against its texture
    chosen = (torch.rand(n, KINDS, generator=generator) < 0.35).float()[:, :, None, None]
    foreign = _blob(n, size, generator)
    discoloured = _blob(n, size, generator)
    stroke, along = _stroke(n, size, generator)
    spot, inside = _spot(n, size, generator)

    other = pictures.roll(1, dims=0)
    pictures = pictures + chosen[:, 3:4] * foreign[:, None] * (other - pictures)
    pictures = pictures + chosen[:, 2:3] * discoloured[:, None] * _tint(contrast, generator)
    for kind, shape in ((0, stroke), (1, spot)):
        height = contrast * log_uniform(n, 1.5, 8.0, generator)
        pictures = pictures + chosen[:, kind : kind + 1] * shape[:, None] * height[:, None, None, None]
    where = torch.stack([along, inside, discoloured > 0.4, foreign > 0.4], 1) & (chosen > 0.0)
    return pictures, where


def _stroke(n: int, size: int, generator: Generator) -> tuple[Tensor, Tensor]:
    """A thin curve between three points, its profile dark, bright or both: [n,s,s] in about [-1, 1], and its mask."""
    ends = torch.rand(n, 3, 2, generator=generator) * size
    ends[:, 1] = 0.5 * (ends[:, 0] + ends[:, 2]) + 0.1 * size * torch.randn(n, 2, generator=generator)
    ends[:, 2] = ends[:, 0] + (ends[:, 2] - ends[:, 0]) * uniform(n, 0.3, 1.0, generator)[:, None]
    t = torch.linspace(0.0, 1.0, 40)[None, :, None]
    path = (1 - t) ** 2 * ends[:, :1] + 2 * t * (1 - t) * ends[:, 1:2] + t**2 * ends[:, 2:]  # [n,40,2]
    steps = torch.arange(size, dtype=torch.float32)
    grid = torch.cartesian_prod(steps, steps)  # [s*s,2]
    distance = torch.cdist(grid.expand(n, -1, -1), path).amin(2).reshape(n, size, size)
    width = log_uniform(n, 0.6, 2.5, generator)[:, None, None]
    core = torch.exp(-0.5 * (distance / width) ** 2)
    shifted = core.roll(2, dims=1) * uniform(n, -1.0, 1.0, generator).clamp_min(0.0)[:, None, None]
    sign = uniform(n, -1.0, 1.0, generator).sign()[:, None, None]
    return sign * (core - shifted), distance < 1.5 * width


def _spot(n: int, size: int, generator: Generator) -> tuple[Tensor, Tensor]:
    """A small ragged ellipse with or without a bright edge: [n,s,s] in about [-1, 1], and its mask."""
    steps = torch.arange(size, dtype=torch.float32)
    top, left = (uniform(n, 0.05 * size, 0.95 * size, generator)[:, None, None] for _ in range(2))
    radius, stretch = log_uniform(n, 1.5, 8.0, generator)[:, None, None], log_uniform(n, 0.6, 1.6, generator)
    y, x = steps[:, None] - top, steps[None, :] - left
    rough = band_noise(size, torch.full((n,), 12.0), torch.full((n,), 0.6), generator)
    rho = ((y * stretch[:, None, None]) ** 2 + x**2).sqrt() / radius + 0.15 * rough
    hole = torch.sigmoid((1.0 - rho) * 6.0)
    edge = torch.exp(-0.5 * ((rho - 1.2) / 0.25) ** 2) * ((y + x) / radius).clamp(-1.0, 1.0)
    sign = uniform(n, -1.0, 1.0, generator).sign()[:, None, None]
    return sign * (hole + edge * uniform(n, -1.0, 1.0, generator)[:, None, None]), rho < 1.1


def _blob(n: int, size: int, generator: Generator) -> Tensor:
    """The opacity of an irregular patch with an edge of some softness: [n,s,s] in [0, 1]."""
    steps = torch.arange(size, dtype=torch.float32)
    top, left = (uniform(n, 0.0, size, generator)[:, None, None] for _ in range(2))
    radius = log_uniform(n, 0.08 * size, 0.45 * size, generator)[:, None, None]
    rough = band_noise(size, radius[:, 0, 0] * 1.5, torch.full((n,), 0.6), generator)
    level = 1.0 - ((steps[:, None] - top) ** 2 + (steps[None, :] - left) ** 2).sqrt() / radius + 0.25 * rough
    return (level * log_uniform(n, 1.0, 10.0, generator)[:, None, None]).clamp(0.0, 1.0)


def _tint(contrast: Tensor, generator: Generator) -> Tensor:
    """What a discolouration adds: [n,3,1,1]."""
    n = len(contrast)
    colour = torch.randn(n, 3, generator=generator) * 0.7 + torch.randn(n, 1, generator=generator)
    colour = colour / colour.square().sum(1, keepdim=True).sqrt().clamp_min(1e-3)
    strength = contrast * log_uniform(n, 1.0, 5.0, generator)
    return strength[:, None, None, None] * colour[:, :, None, None]
