"""Procedural textures by the batch: what the demo's backbone is trained on, in place of photographs.

A family is a function from (number, size, generator) to a `Texture`: n fields drawn with parameters of their own. Most
are noise filtered in the Fourier domain, or functions of turned and warped coordinates, so that a batch costs
milliseconds.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from app.synthesis.fields import (
    TAU,
    band_noise,
    filtered_noise,
    frequencies,
    log_uniform,
    pixels,
    standardised,
    turned,
    uniform,
    wide,
)


@dataclass(frozen=True, slots=True)
class Texture:
    """Fields and what is known about them.

    `values`: [n,s,s], mean 0 and variance 1 each. `direction`: [n,2], cosine and sine of twice the angle along which
    the texture runs, zeros where it has none. `scale`: [n], the size of its elements in pixels.
    """

    values: Tensor
    direction: Tensor
    scale: Tensor


Family = Callable[[int, int, Generator], Texture]


def spectrum(n: int, size: int, generator: Generator) -> Texture:
    """Noise with a power-law spectrum: white at one end, clouds at the other."""
    y, x = frequencies(size)
    slope = uniform(n, 0.0, 2.5, generator)
    gain = ((y**2 + x**2).sqrt() + 1.0 / size) ** -wide(slope)
    return Texture(filtered_noise(size, gain, generator), torch.zeros(n, 2), 2.0 * 2.0**slope)


def speckle(n: int, size: int, generator: Generator) -> Texture:
    """Band-limited noise."""
    scale = log_uniform(n, 3.0, 24.0, generator)
    return Texture(_band(n, size, scale, generator), torch.zeros(n, 2), scale)


def blobs(n: int, size: int, generator: Generator) -> Texture:
    """Patches of two grey levels with edges of some softness."""
    scale = log_uniform(n, 5.0, 32.0, generator)
    sharpness, level = log_uniform(n, 1.0, 8.0, generator), uniform(n, -0.8, 0.8, generator)
    values = torch.tanh(wide(sharpness) * (_band(n, size, scale, generator) - wide(level)))
    return Texture(standardised(values), torch.zeros(n, 2), scale)


def veins(n: int, size: int, generator: Generator) -> Texture:
    """Winding lines: where noise passes through zero."""
    scale = log_uniform(n, 8.0, 40.0, generator)
    sharpness, sign = log_uniform(n, 2.0, 20.0, generator), uniform(n, -1.0, 1.0, generator).sign()
    values = wide(sign) * torch.exp(-wide(sharpness) * _band(n, size, scale, generator) ** 2)
    return Texture(standardised(values), torch.zeros(n, 2), scale)


def grit(n: int, size: int, generator: Generator) -> Texture:
    """Sparse grains: the exponential of fine noise."""
    scale, power = log_uniform(n, 2.5, 8.0, generator), uniform(n, 1.0, 2.5, generator)
    sign = uniform(n, -1.0, 1.0, generator).sign()
    values = torch.exp(wide(power) * _band(n, size, scale, generator)).clamp_max(30.0)
    return Texture(standardised(wide(sign) * values), torch.zeros(n, 2), scale)


def brushed(n: int, size: int, generator: Generator) -> Texture:
    """Long fine grain in one direction, at two widths."""
    angle = uniform(n, 0.0, torch.pi, generator)
    width, stretch = log_uniform(n, 0.6, 3.0, generator), log_uniform(n, 6.0, 80.0, generator)
    y, x = frequencies(size)
    along, across = turned(y, x, angle)
    gain = torch.exp(-4.0 * ((across * wide(width)) ** 2 + (along * wide(width * stretch)) ** 2))
    broad = torch.exp(-4.0 * ((3.0 * across * wide(width)) ** 2 + (along * wide(width * stretch)) ** 2))
    return Texture(filtered_noise(size, gain + 2.0 * broad, generator), _direction(angle), 4.0 * width)


def grating(n: int, size: int, generator: Generator) -> Texture:
    """Parallel stripes from smooth to square, straight or wavy."""
    angle, scale = uniform(n, 0.0, torch.pi, generator), log_uniform(n, 4.0, 28.0, generator)
    _, across = _warped(n, size, angle, scale, generator)
    duty = uniform(n, -0.6, 0.6, generator)
    values = torch.tanh(wide(log_uniform(n, 0.5, 8.0, generator)) * (torch.cos(across) - wide(duty)))
    return Texture(standardised(values), _direction(angle), scale)


def weave(n: int, size: int, generator: Generator) -> Texture:
    """Threads that cross over and under each other."""
    angle, scale = uniform(n, 0.0, torch.pi, generator), log_uniform(n, 4.0, 16.0, generator)
    along, across = _warped(n, size, angle, scale, generator)
    over = torch.cos(0.5 * along) * torch.cos(0.5 * across) > 0.0
    values = torch.where(over, along.cos() * wide(uniform(n, 0.3, 1.0, generator)), across.cos())
    return Texture(standardised(values), torch.zeros(n, 2), scale)


def dots(n: int, size: int, generator: Generator) -> Texture:
    """A lattice of dots, regular or disturbed."""
    angle, scale = uniform(n, 0.0, torch.pi, generator), log_uniform(n, 5.0, 24.0, generator)
    along, across = _warped(n, size, angle, scale, generator)
    level, sign = uniform(n, 0.2, 1.4, generator), uniform(n, -1.0, 1.0, generator).sign()
    values = torch.sigmoid(wide(log_uniform(n, 2.0, 10.0, generator)) * (along.cos() + across.cos() - wide(level)))
    return Texture(standardised(wide(sign) * values), torch.zeros(n, 2), scale)


def leaves(n: int, size: int, generator: Generator) -> Texture:
    """Dead leaves: discs of many sizes that hide each other."""
    y, x = pixels(size)
    scale = log_uniform(n, 4.0, 16.0, generator)
    values = torch.zeros(n, size, size)
    for _ in range(60):
        radius = scale * uniform(n, 0.4, 2.5, generator)
        top, left = uniform(n, 0.0, size, generator), uniform(n, 0.0, size, generator)
        inside = (y - wide(top)) ** 2 + (x - wide(left)) ** 2 < wide(radius) ** 2
        values = torch.where(inside, wide(torch.randn(n, generator=generator)), values)
    return Texture(standardised(values), torch.zeros(n, 2), scale)


def cells(n: int, size: int, generator: Generator) -> Texture:
    """Grains with boundaries: Worley noise, the second nearest point's distance less the nearest one's."""
    points = 48
    zoom = uniform(n, 0.35, 1.0, generator)
    at = torch.rand(n, points, 2, generator=generator)
    y, x = pixels(size)
    grid = torch.stack([y.expand(size, size), x.expand(size, size)], -1).reshape(-1, 2) / size
    near = torch.cdist(grid * wide(zoom), at).topk(2, dim=2, largest=False).values  # [n,s*s,2]
    gap = (near[..., 1] - near[..., 0]).reshape(n, size, size) * points**0.5
    values = torch.tanh(wide(log_uniform(n, 1.0, 10.0, generator)) * gap)
    sign = uniform(n, -1.0, 1.0, generator).sign()
    return Texture(standardised(wide(sign) * values), torch.zeros(n, 2), size / points**0.5 / zoom)


def fibres(n: int, size: int, generator: Generator) -> Texture:
    """Straight hairs in every direction, or around one."""
    angle, spread = uniform(n, 0.0, torch.pi, generator), uniform(n, 0.05, 1.5, generator)
    width = log_uniform(n, 0.7, 3.0, generator)
    y, x = pixels(size)
    values = torch.zeros(n, size, size)
    for _ in range(24):
        turn = angle + spread * torch.randn(n, generator=generator)
        _, across = turned(y - 0.5 * size, x - 0.5 * size, turn)
        away = across - wide(uniform(n, -0.7 * size, 0.7 * size, generator))
        values = values + wide(torch.randn(n, generator=generator)) * torch.exp(-0.5 * (away / wide(width)) ** 2)
    aligned = torch.exp(-2.0 * spread**2)[:, None]
    return Texture(standardised(values), aligned * _direction(angle), 4.0 * width)


FAMILIES: tuple[Family, ...] = (
    spectrum, speckle, blobs, veins, grit, brushed, grating, weave, dots, leaves, cells, fibres,
)  # fmt: skip


def _band(n: int, size: int, scale: Tensor, generator: Generator) -> Tensor:
    return band_noise(size, scale, uniform(n, 0.2, 0.7, generator), generator)


def _warped(n: int, size: int, angle: Tensor, scale: Tensor, generator: Generator) -> tuple[Tensor, Tensor]:
    """Phases along and across the angle, 2 pi every `scale` pixels, bent by smooth noise in half of the textures."""
    y, x = pixels(size)
    along, across = turned(y, x, angle)
    strength = uniform(n, -1.5, 1.5, generator).clamp_min(0.0)
    bend = wide(strength) * band_noise(size, torch.full((n,), 0.7 * size), torch.full((n,), 0.5), generator)
    return TAU * along / wide(scale) + bend.flip(1), TAU * across / wide(scale) + bend


def _direction(angle: Tensor) -> Tensor:
    return torch.stack([torch.cos(2.0 * angle), torch.sin(2.0 * angle)], 1)
