"""Random fields, from which textures are made: n fields [s,s] at a time, each with its own parameters.

All random numbers come from the generator that is passed, so that the seed determines the fields.
"""

import torch
from torch import Generator, Tensor

TAU = 2.0 * torch.pi


def uniform(n: int, low: float, high: float, generator: Generator) -> Tensor:
    """[n] values, distributed uniformly between `low` and `high`."""
    return low + (high - low) * torch.rand(n, generator=generator)


def log_uniform(n: int, low: float, high: float, generator: Generator) -> Tensor:
    """[n] values between `low` and `high`, whose logarithm is distributed uniformly."""
    return low * (high / low) ** torch.rand(n, generator=generator)


def signs(n: int, generator: Generator) -> Tensor:
    """[n] values, 1 or -1 with equal probability."""
    return uniform(n, -1.0, 1.0, generator).sign()


def wide(values: Tensor) -> Tensor:
    """[n] -> [n,1,1], to broadcast over fields [n,s,s]."""
    return values[:, None, None]


def standardised(values: Tensor) -> Tensor:
    """Fields [n,s,s], shifted and scaled to mean 0 and variance 1 each."""
    values = values - values.mean((1, 2), keepdim=True)
    return values / values.std((1, 2), keepdim=True).clamp_min(1e-3)


def pixels(size: int) -> tuple[Tensor, Tensor]:
    """The coordinates (y, x) of pixels: [s,1] and [1,s]."""
    steps = torch.arange(size, dtype=torch.float32)
    return steps[:, None], steps[None, :]


def frequencies(size: int) -> tuple[Tensor, Tensor]:
    """The frequencies (y, x) of a real spectrum, in cycles per pixel: [s,1] and [1,s/2+1]."""
    return torch.fft.fftfreq(size)[:, None], torch.fft.rfftfreq(size)[None, :]


def turned(y: Tensor, x: Tensor, angle: Tensor) -> tuple[Tensor, Tensor]:
    """The coordinates along and across n directions, whose `angle` [n] is in radians: two tensors [n,...]."""
    cosine, sine = wide(angle.cos()), wide(angle.sin())
    return x * cosine + y * sine, y * cosine - x * sine


def filtered_noise(size: int, gain: Tensor, generator: Generator) -> Tensor:
    """White noise whose spectrum is multiplied by `gain` [n,s,s/2+1]: [n,s,s], standardised, periodic."""
    white = torch.randn(len(gain), size, size, generator=generator)
    return standardised(torch.fft.irfft2(torch.fft.rfft2(white) * gain, s=(size, size)))


def band_noise(size: int, scale: Tensor, octaves: Tensor, generator: Generator) -> Tensor:
    """Noise with wavelengths of about `scale` [n] pixels: [n,s,s], standardised.

    The gain is a Gaussian of the logarithm of the wavelength, with `octaves` [n] as its standard deviation.
    """
    y, x = frequencies(size)
    octave = torch.log2((y**2 + x**2).sqrt().clamp_min(0.5 / size) * wide(scale))
    return filtered_noise(size, torch.exp(-0.5 * (octave / wide(octaves)) ** 2), generator)


def clouds(n: int, size: int, slope: tuple[float, float], generator: Generator) -> Tensor:
    """Noise with a power-law spectrum f^-slope: [n,s,s], standardised. Slopes are drawn from the range `slope`."""
    y, x = frequencies(size)
    gain = ((y**2 + x**2).sqrt() + 1.0 / size) ** -wide(uniform(n, *slope, generator))
    return filtered_noise(size, gain, generator)
