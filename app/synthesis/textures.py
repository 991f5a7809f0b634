"""Families of textures: functions from (number, size, generator) to fields [n,s,s] of mean 0 and variance 1.

Most are noise filtered in the Fourier domain, or functions of rotated and warped coordinates, so that a batch costs
milliseconds.
"""

from collections.abc import Callable

import torch
from torch import Generator, Tensor

from app.synthesis.fields import (
    TAU,
    band_noise,
    clouds,
    filtered_noise,
    frequencies,
    log_uniform,
    pixels,
    signs,
    standardised,
    turned,
    uniform,
    wide,
)

Family = Callable[[int, int, Generator], Tensor]


def spectrum(n: int, size: int, generator: Generator) -> Tensor:
    """Noise with a power-law spectrum, from white noise to clouds."""
    return clouds(n, size, (0.0, 2.5), generator)


def speckle(n: int, size: int, generator: Generator) -> Tensor:
    """Band-limited noise."""
    return _band(size, log_uniform(n, 3.0, 24.0, generator), generator)


def blobs(n: int, size: int, generator: Generator) -> Tensor:
    """Patches of two grey levels, with sharp or soft edges."""
    sharpness, level = log_uniform(n, 1.0, 8.0, generator), uniform(n, -0.8, 0.8, generator)
    noise = _band(size, log_uniform(n, 5.0, 48.0, generator), generator)
    return standardised(torch.tanh(wide(sharpness) * (noise - wide(level))))


def veins(n: int, size: int, generator: Generator) -> Tensor:
    """Winding lines, where noise crosses zero."""
    noise = _band(size, log_uniform(n, 8.0, 60.0, generator), generator)
    lines = torch.exp(-wide(log_uniform(n, 2.0, 40.0, generator)) * noise**2)
    return standardised(wide(signs(n, generator)) * lines)


def grit(n: int, size: int, generator: Generator) -> Tensor:
    """Sparse grains, as on cast metal: the exponential of fine noise."""
    noise = _band(size, log_uniform(n, 2.5, 8.0, generator), generator)
    grains = torch.exp(wide(uniform(n, 1.0, 2.5, generator)) * noise).clamp_max(30.0)
    return standardised(wide(signs(n, generator)) * grains)


def brushed(n: int, size: int, generator: Generator) -> Tensor:
    """Long thin lines in one direction, of two widths."""
    width, stretch = log_uniform(n, 0.6, 3.0, generator), log_uniform(n, 6.0, 80.0, generator)
    along, across = turned(*frequencies(size), uniform(n, 0.0, torch.pi, generator))
    gain = torch.exp(-4.0 * ((across * wide(width)) ** 2 + (along * wide(width * stretch)) ** 2))
    broad = torch.exp(-4.0 * ((3.0 * across * wide(width)) ** 2 + (along * wide(width * stretch)) ** 2))
    return filtered_noise(size, gain + 2.0 * broad, generator)


def grating(n: int, size: int, generator: Generator) -> Tensor:
    """Parallel stripes from smooth to square, straight or wavy."""
    _, across = _phases(n, size, log_uniform(n, 4.0, 40.0, generator), generator)
    duty = uniform(n, -0.6, 0.6, generator)
    return standardised(torch.tanh(wide(log_uniform(n, 0.5, 8.0, generator)) * (torch.cos(across) - wide(duty))))


def weave(n: int, size: int, generator: Generator) -> Tensor:
    """Threads that cross over and under each other."""
    along, across = _phases(n, size, log_uniform(n, 4.0, 24.0, generator), generator)
    over = torch.cos(0.5 * along) * torch.cos(0.5 * across) > 0.0
    return standardised(torch.where(over, along.cos() * wide(uniform(n, 0.3, 1.0, generator)), across.cos()))


def dots(n: int, size: int, generator: Generator) -> Tensor:
    """A lattice of dots, regular or distorted."""
    along, across = _phases(n, size, log_uniform(n, 5.0, 40.0, generator), generator)
    level = wide(uniform(n, 0.2, 1.4, generator))
    spots = torch.sigmoid(wide(log_uniform(n, 2.0, 10.0, generator)) * (along.cos() + across.cos() - level))
    return standardised(wide(signs(n, generator)) * spots)


def wood(n: int, size: int, generator: Generator) -> Tensor:
    """Growth rings around a distant axis, cut lengthwise, with pores in a random direction."""
    along, across = turned(*pixels(size), uniform(n, 0.0, TAU, generator))
    warp = band_noise(size, log_uniform(n, 40.0, 160.0, generator), torch.full((n,), 0.6), generator)
    away = across + wide(uniform(n, 0.02, 0.2, generator)) * along + wide(log_uniform(n, 2.0, 20.0, generator)) * warp
    ring = torch.remainder(away / wide(log_uniform(n, 6.0, 40.0, generator)), 1.0)
    pores = brushed(n, size, generator)
    return standardised(ring ** wide(log_uniform(n, 0.5, 4.0, generator)) + 0.2 * pores)


def cells(n: int, size: int, generator: Generator) -> Tensor:
    """Grains with boundaries: Worley noise, the distance to the second nearest point minus that to the nearest."""
    points, coarse = 40, size // 2
    at = torch.rand(n, points, 2, generator=generator)
    y, x = pixels(coarse)
    grid = torch.stack([y.expand(coarse, coarse), x.expand(coarse, coarse)], -1).reshape(-1, 2) / coarse
    away = torch.cdist(grid * wide(uniform(n, 0.3, 1.0, generator)), at)
    near = away.topk(2, dim=2, largest=False)  # [n,s*s,2]
    gap = (near.values[..., 1] - near.values[..., 0]) * points**0.5
    level = torch.randn(n, points, generator=generator).gather(1, near.indices[..., 0])
    edges = torch.tanh(wide(log_uniform(n, 1.0, 10.0, generator))[:, 0] * gap)
    mixed = wide(signs(n, generator))[:, 0] * edges + uniform(n, 0.0, 0.6, generator)[:, None] * level
    return standardised(_enlarged(mixed.reshape(n, coarse, coarse), size))


def fibres(n: int, size: int, generator: Generator) -> Tensor:
    """Straight fibres in every direction, or near one direction."""
    angle, spread = uniform(n, 0.0, torch.pi, generator), uniform(n, 0.05, 1.5, generator)
    width = wide(log_uniform(n, 0.7, 3.0, generator))
    y, x = pixels(size)
    values = torch.zeros(n, size, size)
    for _ in range(16):
        turn = angle + spread * torch.randn(n, generator=generator)
        _, across = turned(y - 0.5 * size, x - 0.5 * size, turn)
        away = across - wide(uniform(n, -0.7 * size, 0.7 * size, generator))
        values += wide(torch.randn(n, generator=generator)) * torch.exp(-0.5 * (away / width) ** 2)
    return standardised(values)


FAMILIES: tuple[Family, ...] = (
    spectrum, speckle, blobs, veins, grit, brushed, grating, weave, dots, wood, cells, fibres,
)  # fmt: skip


def _band(size: int, scale: Tensor, generator: Generator) -> Tensor:
    return band_noise(size, scale, uniform(len(scale), 0.2, 0.7, generator), generator)


def _phases(n: int, size: int, scale: Tensor, generator: Generator) -> tuple[Tensor, Tensor]:
    """Phases along and across a random direction, which grow by 2 pi every `scale` pixels: two [n,s,s].

    Smooth noise bends the phases of half of the textures.
    """
    along, across = turned(*pixels(size), uniform(n, 0.0, torch.pi, generator))
    strength = uniform(n, -1.5, 1.5, generator).clamp_min(0.0)
    bend = wide(strength) * band_noise(size, torch.full((n,), 0.7 * size), torch.full((n,), 0.5), generator)
    return TAU * along / wide(scale) + bend.flip(1), TAU * across / wide(scale) + bend


def _enlarged(values: Tensor, size: int) -> Tensor:
    return torch.nn.functional.interpolate(values[:, None], size=(size, size), mode="bilinear")[:, 0]
