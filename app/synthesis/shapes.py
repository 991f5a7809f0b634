"""Opacities [d,d] in [0, 1] of defects that fill most of a square of d x d pixels."""

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from app.synthesis.fields import TAU, log_uniform, uniform
from app.synthesis.marks import distance_to_path

TURNS = 10  # points at which a crack changes its direction


def spot(size: int, generator: Generator) -> Tensor:
    """A disc with a slightly ragged edge."""
    y, x = _centred(size)
    angle, phase = torch.atan2(y, x), float(uniform(1, 0.0, 6.28, generator))
    edge = 1.0 - 0.12 * (1.0 + torch.sin(3.0 * angle + phase))
    return _soft(edge - (y**2 + x**2).sqrt(), 0.25 + 1.5 / size)


def scratch(size: int, generator: Generator) -> Tensor:
    """A slightly bent line across the square, about a tenth as wide as it is long, and at least a pixel."""
    angle = float(uniform(1, 0.0, 6.28, generator))
    bend = float(uniform(1, -0.15, 0.15, generator))
    along = torch.tensor([torch.tensor(angle).sin(), torch.tensor(angle).cos()])
    across = torch.stack([along[1], -along[0]])
    t = torch.linspace(-1.0, 1.0, 9)[:, None]
    middle, half = (size - 1) / 2, max(0.04 * size, 0.5)
    reach = max(size / 2 - half, 0.5)
    path = middle + reach * (t * along + bend * (1 - t**2) * across)
    steps = torch.arange(size, dtype=torch.float32)
    away = distance_to_path(torch.cartesian_prod(steps, steps), path[None]).view(size, size)
    return (half + 0.5 - away).clamp(0.0, 1.0)


def crack(size: int, generator: Generator) -> Tensor:
    """A thin curve that turns at random, with a soft edge and a width that varies, at least about a pixel."""
    turns = 0.45 * torch.randn(TURNS, generator=generator)
    heading = uniform(1, 0.0, TAU, generator) + turns.cumsum(0)
    path = torch.cat([torch.zeros(1, 2), torch.stack([heading.sin(), heading.cos()], 1)]).cumsum(0)  # [TURNS+1,2]
    low, high = path.amin(0), path.amax(0)
    halves = log_uniform(TURNS, 0.5, max(0.03 * size, 0.6), generator)
    room = size - 1 - 2 * float(halves.amax())
    path = (size - 1) / 2 + (path - (low + high) / 2) * max(room, 1.0) / (high - low).amax()
    steps = torch.arange(size, dtype=torch.float32)
    grid = torch.cartesian_prod(steps, steps)
    opacity = torch.zeros(len(grid))
    for start, end, half in zip(path[:-1], path[1:], halves, strict=True):
        away = distance_to_path(grid, torch.stack([start, end])[None])[0]
        opacity = torch.maximum(opacity, torch.exp(-0.5 * (away / (half + 0.3)) ** 2))
    return opacity.view(size, size)


def band(size: int, generator: Generator) -> Tensor:
    """An elongated patch with a very soft edge, about four times as long as it is wide."""
    y, x = _centred(size)
    angle = float(uniform(1, 0.0, TAU, generator))
    cosine, sine = torch.tensor(angle).cos(), torch.tensor(angle).sin()
    along, across = x * cosine + y * sine, y * cosine - x * sine
    return torch.exp(-0.5 * ((along / 0.55) ** 2 + (across / max(0.14, 1.0 / size)) ** 2)) * _rim(size)


def stain(size: int, generator: Generator) -> Tensor:
    """An irregular patch with a soft edge."""
    return _patch(size, 0.5 + 1.5 / size, generator)


def piece(size: int, generator: Generator) -> Tensor:
    """An irregular patch with a sharp edge."""
    return _patch(size, 1.5 / size, generator)


def _patch(size: int, softness: float, generator: Generator) -> Tensor:
    y, x = _centred(size)
    coarse = torch.randn(1, 1, 4, 4, generator=generator)
    rough = F.interpolate(coarse, (size, size), mode="bicubic", align_corners=True)[0, 0]
    return _soft(0.85 + 0.15 * rough.clamp(-1.0, 1.0) - (y**2 + x**2).sqrt(), softness)


def _rim(size: int) -> Tensor:
    """1 inside, falling to 0 at the edge of the square."""
    y, x = _centred(size)
    return _soft(1.05 - torch.maximum(y.abs(), x.abs()), 0.2)


def _soft(level: Tensor, softness: float) -> Tensor:
    """The opacity from the distance to the edge, which is positive inside; the centre is opaque."""
    return (level / softness).clamp(0.0, 1.0)


def _centred(size: int) -> tuple[Tensor, Tensor]:
    """The coordinates (y, x) from -1 to 1 of the centres of pixels: [d,1] and [1,d]."""
    steps = (torch.arange(size, dtype=torch.float32) - (size - 1) / 2) / (size / 2)
    return steps[:, None], steps[None, :]
