"""Families of colour pictures, [n,3,s,s] around 0.5, from which a network learns edges, shapes, occlusion and colour.

The families follow published models of synthetic pictures: dead leaves, spectra and wavelet statistics (Baradad et al.
2021, arXiv:2106.05963), random programs of coordinates (Baradad et al. 2022, arXiv:2211.16412), and fractals (Kataoka
et al. 2020, arXiv:2101.08515).
"""

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from app.synthesis.fields import (
    clouds,
    frequencies,
    log_uniform,
    pixels,
    signs,
    standardised,
    turned,
    uniform,
    wide,
)
from app.synthesis.textures import FAMILIES, Family

LEAVES = 60  # shapes in a picture
FRACTAL_POINTS, FRACTAL_STEPS = 4096, 24
WAVELET_LEVELS = 5


def textured(n: int, size: int, generator: Generator) -> Tensor:
    """One or two textures, each in its own colour."""
    first, second = (_texture(n, size, generator) for _ in range(2))
    both = uniform(n, -1.0, 1.0, generator).clamp_min(0.0)
    return _coloured(first, generator) + both[:, None, None, None] * (_coloured(second, generator) - 0.5)


def leaves(n: int, size: int, generator: Generator) -> Tensor:
    """Dead leaves (Lee, Mumford and Huang 2001, doi:10.1023/A:1011109015675): shapes that occlude each other.

    The shapes are discs, ellipses and bars of many sizes, with their own colours and shades, and one of three textures.
    """
    y, x = pixels(size)
    picture = _coloured(_texture(n, size, generator), generator)
    texture = torch.stack([_texture(n, size, generator) for _ in range(3)])
    for number in range(LEAVES):
        radius = size * 0.5 * torch.rand(n, generator=generator).clamp_min(0.03) ** 2.5 + 1.5
        along, across = turned(
            y - wide(uniform(n, 0.0, size, generator)),
            x - wide(uniform(n, 0.0, size, generator)),
            uniform(n, 0.0, torch.pi, generator),
        )
        stretch = wide(log_uniform(n, 1.0, 6.0, generator))
        power = 2.0 if number % 3 else 8.0  # ellipses, or bars with round corners
        inside = (along / wide(radius)).abs() ** power + (across * stretch / wide(radius)).abs() ** power < 1.0
        colour = uniform(3 * n, 0.0, 1.0, generator).view(n, 3, 1, 1)
        shade = wide(uniform(n, -0.2, 0.2, generator)) * along / wide(radius)
        grain = wide(log_uniform(n, 0.005, 0.15, generator)) * texture[number % 3]
        picture = torch.where(inside[:, None], colour + (shade + grain)[:, None], picture)
    return picture


def spectral(n: int, size: int, generator: Generator) -> Tensor:
    """Clouds of correlated colours, elongated in one direction."""
    y, x = frequencies(size)
    along, across = turned(y, x, uniform(n, 0.0, torch.pi, generator))
    stretch = wide(log_uniform(n, 1.0, 3.0, generator))
    gain = ((along * stretch) ** 2 + across**2).sqrt() + 1.0 / size
    gain = gain ** -wide(uniform(n, 0.6, 2.2, generator))
    white = torch.randn(n, 3, size, size, generator=generator)
    fields = torch.fft.irfft2(torch.fft.rfft2(white) * gain[:, None], s=(size, size))
    fields = fields / fields.std((2, 3), keepdim=True).clamp_min(1e-4)
    mixing = torch.randn(n, 3, 3, generator=generator) * 0.4 + torch.randn(n, 1, 3, generator=generator)
    mixed = torch.einsum("nij,njhw->nihw", mixing, fields)
    return uniform(n, 0.3, 0.7, generator)[:, None, None, None] + 0.12 * mixed


def wavelets(n: int, size: int, generator: Generator) -> Tensor:
    """Sparse wavelet coefficients with natural statistics: few are large, at the same places in adjacent scales."""
    sparse = wide(uniform(n, 0.8, 2.2, generator))[:, None]
    coarsest = -(-size // 2**WAVELET_LEVELS)
    picture = torch.zeros(n, 3, coarsest, coarsest)
    picture += torch.randn(n, 3, 1, 1, generator=generator)
    energy = torch.randn(n, 1, *picture.shape[2:], generator=generator)
    decay = uniform(n, 0.45, 0.75, generator)[:, None, None, None]
    weight = torch.ones(n, 1, 1, 1)
    for _ in range(WAVELET_LEVELS):
        edge = 2 * picture.shape[-1]
        picture = F.interpolate(picture, size=(edge, edge), mode="bilinear")
        energy = 0.75 * F.interpolate(energy, size=(edge, edge)) + 0.65 * torch.randn(
            n, 1, edge, edge, generator=generator
        )
        weight = weight * decay
        own = 0.8 * torch.randn(n, 1, edge, edge, generator=generator)
        own = own + 0.4 * torch.randn(n, 3, edge, edge, generator=generator)
        picture = picture + weight * torch.exp(sparse * (energy - 1.0)).clamp_max(6.0) * own
    return 0.5 + 0.18 * picture[:, :, :size, :size]


def programs(n: int, size: int, generator: Generator) -> Tensor:
    """Small random programs of the coordinates (sums, products, sines, steps and warps), mixed into three channels."""
    y, x = (grid.expand(size, size) / size - 0.5 for grid in pixels(size))
    y, x = y.expand(n, size, size), x.expand(n, size, size)
    noise = clouds(n, size, (1.2, 2.2), generator)
    known = [*turned(y, x, uniform(n, 0.0, torch.pi, generator)), (y**2 + x**2).sqrt(), 0.3 * noise]
    for _ in range(7):
        first, second = (known[int(torch.randint(len(known), (), generator=generator))] for _ in range(2))
        kind = int(torch.randint(6, (), generator=generator))
        rate = wide(log_uniform(n, 1.0, 24.0, generator))
        known.append(_operation(kind, first, second, rate))
    chosen = torch.stack([standardised(known[-number]) for number in (1, 2, 3)], 1)
    mixing = torch.randn(n, 3, 3, generator=generator)
    mixing = mixing / mixing.norm(dim=2, keepdim=True)
    colours = torch.einsum("nij,njhw->nihw", mixing, chosen)
    return uniform(n, 0.25, 0.75, generator)[:, None, None, None] + 0.17 * colours


def fractals(n: int, size: int, generator: Generator) -> Tensor:
    """Attractors of random affine maps, on a plain or textured background: a chaos game of many points at once."""
    maps = 4
    angle = torch.rand(n, maps, 2, generator=generator) * 2 * torch.pi
    scale = uniform(n * maps * 2, 0.25, 0.8, generator).view(n, maps, 2) * signs(n * maps * 2, generator).view(
        n, maps, 2
    )
    turn, back = (torch.stack([a.cos(), -a.sin(), a.sin(), a.cos()], -1).view(n, maps, 2, 2) for a in angle.unbind(2))
    affine = turn @ torch.diag_embed(scale) @ back
    move = uniform(n * maps * 2, -1.0, 1.0, generator).view(n, maps, 2)
    at = torch.zeros(n, FRACTAL_POINTS, 2)
    counts = torch.zeros(n, size * size)
    each = torch.arange(n)[:, None]
    for step in range(FRACTAL_STEPS):
        choice = torch.randint(maps, (n, FRACTAL_POINTS), generator=generator)
        at = (affine[each, choice] @ at[..., None])[..., 0] + move[each, choice]
        if step >= 6:
            place = ((at / 5.0 + 0.5) * size).long().clamp(0, size - 1)
            counts.scatter_add_(1, place[..., 0] * size + place[..., 1], torch.ones(n, FRACTAL_POINTS))
    density = torch.log1p(counts.view(n, size, size))
    density = (density / density.amax((1, 2), keepdim=True).clamp_min(1e-3)).clamp(0.0, 1.0)
    ground = _coloured(_texture(n, size, generator), generator)
    colour = uniform(3 * n, 0.0, 1.0, generator).view(n, 3, 1, 1)
    opacity = (density * wide(log_uniform(n, 1.0, 3.0, generator))).clamp(0.0, 1.0)[:, None]
    return ground + opacity * (colour - ground)


SCENES: tuple[Family, ...] = (textured, leaves, spectral, wavelets, programs, fractals)


def _texture(n: int, size: int, generator: Generator) -> Tensor:
    family = FAMILIES[int(torch.randint(len(FAMILIES), (), generator=generator))]
    return family(n, size, generator)


def _coloured(values: Tensor, generator: Generator) -> Tensor:
    """Fields [n,s,s] -> pictures [n,3,s,s], each with a random mean colour, contrast, and colour of the contrast."""
    n = len(values)
    saturation = uniform(n, -0.15, 0.15, generator).clamp_min(0.0)[:, None]  # half of the pictures are grey
    mean = uniform(n, 0.12, 0.88, generator)[:, None] + saturation * torch.randn(n, 3, generator=generator)
    swing = 1.0 + 4.0 * saturation * torch.randn(n, 3, generator=generator)
    contrast = log_uniform(n, 0.008, 0.25, generator)[:, None]
    return mean[:, :, None, None] + (contrast * swing)[:, :, None, None] * values[:, None]


def _operation(kind: int, first: Tensor, second: Tensor, rate: Tensor) -> Tensor:
    if kind == 0:
        return torch.sin(rate * (first + 0.5 * second))
    if kind == 1:
        return first * second
    if kind == 2:
        return torch.tanh(rate * (first - second))
    if kind == 3:
        return torch.remainder(rate * first, 1.0) - 0.5
    if kind == 4:
        return (first**2 + second**2).sqrt()
    return torch.maximum(first, -second).abs()
