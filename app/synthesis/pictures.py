"""Draws batches of synthetic pictures: scenes with marks on them, as a camera records them."""

import torch
from torch import Generator, Tensor

from app.synthesis.imaging import photographed
from app.synthesis.marks import MARKS
from app.synthesis.scenes import SCENES

MARKED_SHARE = 0.5  # the share of the pictures that get a mark; all kinds of marks are equally likely
WINDOWS_PER_SCENE = 4  # the number of windows that are cut from each scene


def draw(count: int, size: int, generator: Generator) -> Tensor:
    """`count` pictures [count,3,size,size] in [0, 1], in steps of 1/255, in random order.

    Every family draws the same number of scenes, give or take one. A scene is larger than a picture by half. Several
    windows are cut from each scene, rotated and mirrored. That costs less than one scene per picture, and edge effects
    of a scene are seldom at the edges of a picture.
    """
    whole = 3 * size // 2
    drawn = -(-count // WINDOWS_PER_SCENE)
    shares = [drawn // len(SCENES) + (number < drawn % len(SCENES)) for number in range(len(SCENES))]
    start = int(torch.randint(len(SCENES), (), generator=generator))
    families = [SCENES[(start + number) % len(SCENES)] for number in range(len(SCENES))]
    scenes = torch.cat([family(n, whole, generator) for family, n in zip(families, shares, strict=True) if n])
    scenes = scenes[torch.randperm(len(scenes), generator=generator)]
    windows = torch.cat([_window(scene, size, generator) for scene in scenes for _ in range(WINDOWS_PER_SCENE)])[:count]
    windows = windows[torch.randperm(count, generator=generator)]
    return photographed(_marked(windows, generator), generator)


def _window(scene: Tensor, size: int, generator: Generator) -> Tensor:
    """A random window [1,3,size,size] of a scene [3,h,w], in one of its eight orientations."""
    room = scene.shape[-1] - size + 1
    top, left, quarters, mirrored = (int(torch.randint(most, (), generator=generator)) for most in (room, room, 4, 2))
    window = torch.rot90(scene[None, :, top : top + size, left : left + size], quarters, (2, 3))
    return window.flip(3) if mirrored else window


def _marked(pictures: Tensor, generator: Generator) -> Tensor:
    kinds = torch.randint(len(MARKS), (len(pictures),), generator=generator)
    kinds[torch.rand(len(pictures), generator=generator) >= MARKED_SHARE] = -1
    for kind, mark in enumerate(MARKS):
        chosen = (kinds == kind).nonzero()[:, 0]
        if len(chosen):
            pictures[chosen] = mark(pictures[chosen], generator)
    return pictures
