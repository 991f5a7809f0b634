"""Pictures that nobody took, by the batch: scenes, with marks on them, as a camera sees them."""

import torch
from torch import Generator, Tensor

from app.synthesis.imaging import photographed
from app.synthesis.marks import MARKS
from app.synthesis.scenes import SCENES

MARKED = 0.5  # share of the pictures with marks, of each kind a fifth
CROPS = 4  # that are cut from each picture


def draw(count: int, size: int, generator: Generator) -> Tensor:
    """`count` pictures [count,3,size,size] in [0, 1], in steps of 1/255; families in turn, in random order.

    A drawn picture is larger by half, and several windows are cut from it, turned and mirrored: that costs less than as
    many drawings, and brings what is at their edges elsewhere.
    """
    whole = 3 * size // 2
    drawn = -(-count // CROPS)
    shares = [drawn // len(SCENES) + (number < drawn % len(SCENES)) for number in range(len(SCENES))]
    start = int(torch.randint(len(SCENES), (), generator=generator))
    families = [SCENES[(start + number) % len(SCENES)] for number in range(len(SCENES))]
    scenes = torch.cat([family(n, whole, generator) for family, n in zip(families, shares, strict=True) if n])
    scenes = scenes[torch.randperm(len(scenes), generator=generator)]
    windows = torch.cat([_window(scene, size, generator) for scene in scenes for _ in range(CROPS)])[:count]
    windows = windows[torch.randperm(count, generator=generator)]
    return photographed(_marked(windows, generator), generator)


def _window(scene: Tensor, size: int, generator: Generator) -> Tensor:
    """A window [1,3,size,size] of a scene [3,h,w], turned by quarters and mirrored."""
    room = scene.shape[-1] - size + 1
    top, left, quarters, mirrored = (int(torch.randint(most, (), generator=generator)) for most in (room, room, 4, 2))
    window = torch.rot90(scene[None, :, top : top + size, left : left + size], quarters, (2, 3))
    return window.flip(3) if mirrored else window


def _marked(pictures: Tensor, generator: Generator) -> Tensor:
    kinds = torch.randint(len(MARKS), (len(pictures),), generator=generator)
    kinds[torch.rand(len(pictures), generator=generator) >= MARKED] = -1
    for kind, mark in enumerate(MARKS):
        chosen = (kinds == kind).nonzero()[:, 0]
        if len(chosen):
            pictures[chosen] = mark(pictures[chosen], generator)
    return pictures
