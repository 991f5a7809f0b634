"""Marks the parts of a picture that were not looked at."""

from collections.abc import Iterable

import torch
from torch import Tensor

from app.rendering.bands import row_bands

STRIPES = 128
"""The number of stripes along the longer edge of a picture, at most, so that they stay visible on a screen."""
LEAST_STRIPE = 4
DARK, LIGHT = 64, 112
"""The grey values of black in the two kinds of stripes; white is 127 more."""


def hatch(picture: Tensor, boxes: Iterable[tuple[int, int, int, int]]) -> None:
    """Draws diagonal grey stripes over each box (top, left, height, width) of the picture [3,H,W] uint8, in place.

    The picture stays visible below them, without its colours and with half of its contrast.
    """
    stripe = max(LEAST_STRIPE, max(picture.shape[1:]) // STRIPES)
    for top, left, height, width in boxes:
        columns = torch.arange(left, left + width)
        for rows in row_bands(height, width):
            down = torch.arange(top + rows.start, top + rows.stop)
            light = (down[:, None] + columns) // stripe % 2 == 1  # [n,width]
            part = picture[:, top + rows.start : top + rows.stop, left : left + width]
            grey = part.to(torch.int16).sum(0) // 6
            part.copy_((grey + torch.where(light, LIGHT, DARK)).to(torch.uint8))
