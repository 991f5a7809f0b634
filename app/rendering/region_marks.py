"""Draws defect regions as the page does: their contours, frames around small ones, rings at the peaks of large ones."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from app.rendering.frames import Box, frame_rows
from app.rendering.lines import line_width

SMALL, GAP = 14, 4
"""A region with shorter edges than SMALL lines also gets a frame, of SMALL lines, or GAP lines away from the region."""
LARGE = 0.25
"""A region that covers a larger share of the picture also gets a ring at its peak: its contour says little."""
RADIUS = 12
"""That of a ring, in lines."""


class MarkedRegion(NamedTuple):
    """A defect region: its box, its number of pixels, and the (row, column) of its peak."""

    box: Box
    area: int
    peak: tuple[int, int]


class RegionMarks:
    """Draws the regions of a picture of the size (height, width).

    A contour is a white line with a black line around it, outside the region, so that it hides nothing of it. Where a
    region reaches the edge of the picture, the lines lie inside the picture.

    reach: how far a region has an effect outside it, in pixels
    """

    def __init__(self, regions: Sequence[MarkedRegion], size: tuple[int, int]) -> None:
        self._size, self._line = size, line_width(size)
        self.reach = 2 * self._line
        small = [_around(each.box, self._line) for each in regions if max(each.box[2:]) < SMALL * self._line]
        self._frames = np.array(small, np.int64).reshape(-1, 4)
        self._peaks = [each.peak for each in regions if each.area >= LARGE * size[0] * size[1]]

    def draw(self, rows: Tensor, mask: Tensor, first: int = 0, above: int = 0) -> None:
        """Draws into rows [C,n,W] uint8 of the picture, from row `first` on, in place.

        mask: [above+n+below,W] bool, true inside regions: of these rows, and of `reach` rows above and below them, as
            far as the picture has them
        """
        count, line = rows.shape[1], self._line
        near = _grown(mask, line)
        white = near & ~mask
        black = _grown(near, line) & ~near
        rows.masked_fill_(black[above : above + count], 0)
        rows.masked_fill_(white[above : above + count], 255)
        self._draw_edge(rows, mask[above : above + count], first)
        tops, ends = self._frames[:, 0] - self.reach, self._frames[:, 0] + self._frames[:, 2] + self.reach
        seen = self._frames[(tops <= first + count) & (ends >= first)]
        frame_rows(rows, ((box[0], box[1], box[2], box[3]) for box in seen.tolist()), first, self._size)
        for peak in self._peaks:
            self._draw_ring(rows, peak, first)

    def _draw_edge(self, rows: Tensor, mask: Tensor, first: int) -> None:
        """Draws the lines of regions at the edge of the picture."""
        height, width = self._size
        row, column = torch.arange(first, first + rows.shape[1]), torch.arange(width)
        down, across = torch.minimum(row, height - 1 - row), torch.minimum(column, width - 1 - column)
        for distance, value in ((self.reach, 255), (self._line, 0)):
            for near, own, part in (
                (down < distance, mask, rows),
                (across < distance, mask.T, rows.transpose(1, 2)),
            ):
                found = near.nonzero().flatten()
                if len(found):
                    part[:, found] = part[:, found].masked_fill(own[found], value)

    def _draw_ring(self, rows: Tensor, peak: tuple[int, int], first: int) -> None:
        most = (RADIUS + 2) * self._line
        top, bottom = max(peak[0] - most, first), min(peak[0] + most + 1, first + rows.shape[1])
        left, right = max(peak[1] - most, 0), min(peak[1] + most + 1, self._size[1])
        if top >= bottom or left >= right:
            return
        y, x = (torch.arange(*ends, dtype=torch.float32) for ends in ((top, bottom), (left, right)))
        distances = torch.hypot(y[:, None] - peak[0], x - peak[1])
        off = (distances - RADIUS * self._line).abs()
        part = rows[:, top - first : bottom - first, left:right]
        part.masked_fill_(off <= self.reach, 0)
        part.masked_fill_(off <= self._line, 255)


def marked(picture: Tensor, mask: Tensor, regions: Sequence[MarkedRegion]) -> Tensor:
    """A copy of the picture [3,H,W] uint8 with its regions, whose pixels `mask` [H,W] bool names."""
    found = picture.clone()
    RegionMarks(regions, (mask.shape[0], mask.shape[1])).draw(found, mask)
    return found


def marked_bands(bands: Iterable[tuple[Tensor, Tensor]], marks: RegionMarks) -> Iterator[Tensor]:
    """The bands of rows [C,n,W] of a picture with their regions, from top to bottom, drawn in place.

    bands: the rows, and their mask [n,W]; a band is yielded when `reach` rows below it are known
    """
    waiting: deque[tuple[Tensor, Tensor]] = deque()
    before, first = None, 0

    def drawn() -> Tensor:
        nonlocal before, first
        rows, mask = waiting.popleft()
        below = _first_rows([each for _, each in waiting], marks.reach)
        context = torch.cat([mask, *below] if before is None else [before, mask, *below])
        above = 0 if before is None else len(before)
        marks.draw(rows, context, first, above)
        before, first = context[: above + len(mask)][-marks.reach :], first + len(mask)
        return rows

    for band in bands:
        waiting.append(band)
        while sum(len(mask) for _, mask in waiting) - len(waiting[0][1]) >= marks.reach:
            yield drawn()
    while waiting:
        yield drawn()


def _first_rows(masks: Sequence[Tensor], count: int) -> Iterator[Tensor]:
    for mask in masks:
        if count > 0:
            yield mask[:count]
            count -= len(mask)


def _around(box: Box, line: int) -> Box:
    """The box of the frame around a small region, which has the same centre."""
    top, left, height, width = box
    high, wide = (max(SMALL * line, edge + 2 * GAP * line) for edge in (height, width))
    return top + (height - high) // 2, left + (width - wide) // 2, high, wide


def _grown(mask: Tensor, radius: int) -> Tensor:
    """Where a square of 2 * radius + 1 pixels around a pixel has one of the mask [H,W]."""
    for dim in (0, 1):
        shape = list(mask.shape)
        shape[dim] += 2 * radius
        found = mask.new_zeros(shape)
        found.narrow(dim, radius, mask.shape[dim]).copy_(mask)
        covered = 1
        while covered <= 2 * radius:  # each step doubles the window that a value covers
            step = min(covered, 2 * radius + 1 - covered)
            length = found.shape[dim] - step
            found = found.narrow(dim, 0, length) | found.narrow(dim, step, length)
            covered += step
        mask = found
    return mask
