"""Stitches a picture while its tiles arrive, in the memory of one row of tiles of one strip."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from app.errors import InvalidTiling
from app.tiling.config import Size
from app.tiling.ops import place
from app.tiling.plan import TilePlan
from app.tiling.strips import Strip


@dataclass(frozen=True, slots=True)
class Band:
    """Complete rows of a strip of the stitched map.

    rows: [C,rows,w], valid until the next tile is added
    top: the number of the first of these rows
    left: the number of the first of their columns
    """

    rows: Tensor
    top: int
    left: int = 0


Kept = dict[int, Tensor]
"""Rows of cells [1,C,rows,w] that tiles of a later band change, by the left edge of their strip."""


class Stitcher:
    """Yields the rows of a stitched map as soon as no later tile can change them.

    All bands together equal the result of `untile`, except that a stretched picture always keeps its canvas's cells.
    Memory holds one row of tiles of one strip, whatever the picture's height and width. If the plan is that of a band
    of rows of tiles, `kept` receives what tiles overlap of the next band, whose stitcher begins with it.
    """

    def __init__(self, plan: TilePlan, kept: Kept | None = None) -> None:
        self._plan, self._kept = plan, {} if kept is None else kept
        self._next = 0
        self._buffer: Tensor | None = None  # [1,C,h,w]: the part of the strip that the current row of tiles covers

    def add(self, tiles: Tensor) -> Iterator[Band]:
        """Adds the next tiles, [n,C,h,w] in the plan's order, and yields the rows that they complete.

        The thumbnail is not added. Raises InvalidTiling for more tiles than the plan has.
        """
        plan = self._plan
        if self._next + len(tiles) > plan.in_grid:
            raise InvalidTiling(f"got {self._next + len(tiles)} tiles, the plan has {plan.in_grid}")
        if not plan.tiled:
            self._next = 1
            yield Band(tiles[0], 0)
            return
        stride = plan.feature_stride(*tiles.shape[-2:])
        for each in tiles:
            strip, row, column = plan.locate(self._next)
            if self._next == strip.first:
                self._buffer = None  # frees the old buffer before the new one is allocated
                self._buffer = _zeros_like(tiles, *self._buffer_size(strip, stride))
                begun = self._kept.pop(strip.left, None)
                if begun is not None:
                    self._buffer[:, :, : begun.shape[2]] = begun
            assert self._buffer is not None
            top, left = (plan.y.start(row) - plan.y.origin) // stride, (strip.left - plan.x.origin) // stride
            place(each.unsqueeze(0), self._next, self._buffer, plan, stride, (top, left))
            self._next += 1
            if column == strip.columns[-1]:
                yield from self._complete(row, top, left, stride)
                if row == plan.own_rows[-1] and row < plan.rows - 1:
                    self._keep(row, strip, stride)

    def _buffer_size(self, strip: Strip, stride: int) -> Size:
        """The size in cells of the part of a strip that a row of tiles covers, without cells wholly in the padding."""
        y, x = self._plan.y, self._plan.x
        left, right = ((edge - x.origin) // stride for edge in (strip.left, strip.right))
        return min(y.tile // stride, y.cells(stride)), min(right, x.cells(stride)) - left

    def _complete(self, row: int, top: int, left: int, stride: int) -> Iterator[Band]:
        assert self._buffer is not None
        last = row == self._plan.rows - 1
        axis = self._plan.y
        end = axis.cells(stride) if last else (axis.start(row + 1) - axis.origin) // stride
        done = min(end, axis.cells(stride)) - top
        yield Band(self._buffer[0, :, :done], top, left)
        if not last:
            kept = self._buffer.shape[2] - done
            self._buffer[:, :, :kept] = self._buffer[:, :, done:].clone()
            self._buffer[:, :, kept:] = 0

    def _keep(self, row: int, strip: Strip, stride: int) -> None:
        assert self._buffer is not None
        overlapped = (self._plan.y.start(row) + self._plan.y.tile - self._plan.y.start(row + 1)) // stride
        if overlapped > 0:
            self._kept[strip.left] = self._buffer[:, :, :overlapped].clone()


def _zeros_like(tiles: Tensor, height: int, width: int) -> Tensor:
    """Zeros [1,C,height,width] in the tiles' memory format and dtype; float32 for tiles in float16 or bfloat16."""
    last = tiles.is_contiguous(memory_format=torch.channels_last)
    return torch.empty(
        (1, tiles.shape[1], height, width),
        dtype=torch.float32 if tiles.dtype in (torch.float16, torch.bfloat16) else tiles.dtype,
        device=tiles.device,
        memory_format=torch.channels_last if last else torch.contiguous_format,
    ).zero_()
