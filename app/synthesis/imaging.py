"""Simulates a camera: uneven light, defocus, noise, and steps of 1/255."""

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from app.synthesis.fields import log_uniform, uniform

BLUR_REACH = 4  # pixels on each side of the centre


def photographed(pictures: Tensor, generator: Generator) -> Tensor:
    """Pictures [n,3,s,s], where 1.0 is white -> the values of a sensor, in [0, 1]."""
    n, _, size, _ = pictures.shape
    steps = torch.linspace(-1.0, 1.0, size)
    slope = 0.1 * torch.randn(n, 2, 1, 1, generator=generator)
    light = 1.0 + slope[:, :1] * steps[:, None] + slope[:, 1:] * steps[None, :]  # [n,1,s,s]
    gain = uniform(n, 0.7, 1.2, generator)[:, None, None, None]
    seen = _defocused(pictures * light * gain, generator)
    noise = torch.randn(n, 1, size, size, generator=generator) + 0.5 * torch.randn(pictures.shape, generator=generator)
    strength = log_uniform(n, 0.001, 0.03, generator)[:, None, None, None]
    return ((seen + strength * noise).clamp(0.0, 1.0) * 255.0).round() / 255.0


def _defocused(pictures: Tensor, generator: Generator) -> Tensor:
    """Blurs about a third of the pictures by a Gaussian with a sigma of 0.5 to 2 pixels."""
    n, channels, size, _ = pictures.shape
    sigma = torch.where(torch.rand(n, generator=generator) < 0.33, log_uniform(n, 0.5, 2.0, generator), 0.05)
    reach = torch.arange(-BLUR_REACH, BLUR_REACH + 1, dtype=torch.float32)
    kernel = torch.exp(-0.5 * (reach / sigma[:, None]) ** 2)
    kernel = (kernel / kernel.sum(1, keepdim=True)).repeat_interleave(channels, 0)  # [3n,k]
    one = F.pad(pictures.reshape(1, n * channels, size, size), (BLUR_REACH,) * 4, mode="replicate")
    one = F.conv2d(one, kernel[:, None, :, None], groups=n * channels)
    return F.conv2d(one, kernel[:, None, None, :], groups=n * channels).view(pictures.shape)
