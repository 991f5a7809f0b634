"""The thumbnail of a picture: its pixels, its features, and the scale of its part of the map."""

from collections.abc import Sequence
from math import ceil, floor

import torch
from torch import Tensor
from torch.nn import functional as F

from app.detectors import Features
from app.pipeline.roi import View
from app.tiling import Size, TilePlan

PIXELS = 2**22
"""The number of pixels of a picture that are converted to float32 at once, but at least one row."""


def reduced(pixels: Tensor, size: Size) -> Tensor:
    """A picture [C,H,W] of any dtype at another size, [C,h,w] float32: bilinear with antialiasing.

    Its rows are resized before its columns, a part of them at a time, so that no float32 copy of the picture is needed.
    """
    height, width = size
    found = torch.empty(len(pixels), height, width, device=pixels.device)
    for source, out in zip(pixels, found, strict=True):
        narrow = [
            _resized(rows.float(), (len(rows), width)) for rows in source.split(max(1, PIXELS // source.shape[1]))
        ]
        out.copy_(_resized(torch.cat(narrow), size))
    return found


def _resized(plane: Tensor, size: Size) -> Tensor:
    if tuple(plane.shape) == size:
        return plane
    return F.interpolate(plane[None, None], size=size, mode="bilinear", antialias=True)[0, 0]


class ThumbnailSplitter:
    """Separates the features of a picture's thumbnail, which is the last tile, from those of the other tiles.

    strides: the strides of the features
    """

    def __init__(self, plan: TilePlan, strides: Sequence[int]) -> None:
        self._plan, self._strides = plan, strides
        self._next = 0

    def split(self, features: Features) -> tuple[Features, Features | None]:
        """Takes the features of the next tiles, [n,C,h,w] each. Returns those of the tiles in rows and columns.

        Also returns the thumbnail's cells that show the picture, [1,C,h,w] each, once they were given; before, None.
        """
        thumbnail, left = self._plan.thumbnail, self._plan.in_grid - self._next
        self._next += len(features[0])
        if thumbnail is None or self._next < self._plan.count:
            return features, None
        cells = [(thumbnail.y.cells(stride), thumbnail.x.cells(stride)) for stride in self._strides]
        last = tuple(each[left:, :, :rows, :columns] for each, (rows, columns) in zip(features, cells, strict=True))
        return tuple(each[:left] for each in features), last


def counted_in_thumbnail(features: Features, plan: TilePlan, view: View) -> Tensor:
    """The cells of the thumbnail's features [1,C,h,w] that overlap the view: [1,h,w] bool."""
    height, width = features[0].shape[-2:]
    counted = torch.zeros(1, height, width, dtype=torch.bool, device=features[0].device)
    rows, columns = (
        _overlapping(pixels, cells, length)
        for pixels, cells, length in zip((view.rows, view.columns), (height, width), plan.image_size, strict=True)
    )
    counted[:, rows, columns] = True
    return counted


def _overlapping(pixels: range, cells: int, length: int) -> slice:
    first = min(floor(pixels.start * cells / length), cells - 1)
    return slice(first, max(ceil(pixels.stop * cells / length), first + 1))


def thumbnail_scale(plan: TilePlan, stride: int) -> tuple[float, float]:
    """The (height, width) of a pixel of the picture's map, in cells of the thumbnail, which have this stride in it."""
    assert plan.thumbnail is not None
    down, across = (
        small / length / stride for small, length in zip(plan.thumbnail.image_size, plan.image_size, strict=True)
    )
    return down, across
