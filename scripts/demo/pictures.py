"""Batches for the demo's backbone: textures in colour, under uneven light, with odd marks, read by a noisy sensor."""

from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from app.synthesis.fields import log_uniform, uniform
from scripts.demo.marks import add_marks
from scripts.demo.textures import FAMILIES

MEAN = torch.tensor([0.485, 0.456, 0.406])[:, None, None]  # of ImageNet, as everywhere in the product
STD = torch.tensor([0.229, 0.224, 0.225])[:, None, None]


@dataclass(frozen=True, slots=True)
class Batch:
    """`images` [n,3,s,s] normalised, and what there is to learn about them.

    `family` [n]; `direction` [n,2] and `scale` [n] (log2 of pixels) of the texture; `marks` [n,KINDS,s,s] bool.
    """

    images: Tensor
    family: Tensor
    direction: Tensor
    scale: Tensor
    marks: Tensor


def draw_batch(per_family: int, size: int, generator: Generator) -> Batch:
    """`per_family` pictures of each family, in random order."""
    textures = [family(per_family, size, generator) for family in FAMILIES]
    order = torch.randperm(per_family * len(FAMILIES), generator=generator)
    values = torch.cat([texture.values for texture in textures])[order]
    pictures, marks = add_marks(_coloured(values, generator), generator)
    return Batch(
        images=(_sensed(pictures, generator) - MEAN) / STD,
        family=torch.arange(len(FAMILIES)).repeat_interleave(per_family)[order],
        direction=torch.cat([texture.direction for texture in textures])[order],
        scale=torch.cat([texture.scale for texture in textures])[order].log2(),
        marks=marks,
    )


def _coloured(values: Tensor, generator: Generator) -> Tensor:
    """Fields as pictures: a mean colour, a contrast and a colour of the contrast each; [n,3,s,s]."""
    n = len(values)
    grey = uniform(n, 0.15, 0.85, generator)[:, None]
    saturation = (uniform(n, -0.12, 0.12, generator).clamp_min(0.0))[:, None]  # half of the pictures are grey
    mean = grey + saturation * torch.randn(n, 3, generator=generator)
    swing = 1.0 + 4.0 * saturation * torch.randn(n, 3, generator=generator)
    contrast = log_uniform(n, 0.01, 0.20, generator)[:, None]
    return mean[:, :, None, None] + (contrast * swing)[:, :, None, None] * values[:, None]


def _sensed(pictures: Tensor, generator: Generator) -> Tensor:
    """What a sensor makes of them: a slope of light, noise, values in [0, 1] in 256 steps."""
    n, _, size, _ = pictures.shape
    steps = torch.linspace(-1.0, 1.0, size)
    slope = 0.08 * torch.randn(n, 2, 1, 1, generator=generator)
    light = 1.0 + slope[:, :1] * steps[:, None] + slope[:, 1:] * steps[None, :]  # [n,1,s,s]
    noise = torch.randn(n, 1, size, size, generator=generator) + 0.5 * torch.randn(pictures.shape, generator=generator)
    strength = log_uniform(n, 0.002, 0.03, generator)[:, None, None, None]
    return ((pictures * light + strength * noise).clamp(0.0, 1.0) * 255.0).round() / 255.0
