"""Pictures whose rows are read one after the other, when they are needed."""

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

from app.row_memory import apart
from app.tiling import Size

PASSED_ROWS = 256
"""The number of rows that are read at once, of those that are not needed."""


class RowSource(Protocol):
    """A picture that gives its rows in order.

    size: `(height, width)` in pixels
    white: the value of white
    """

    size: Size
    white: float

    def read(self, count: int) -> Tensor:
        """The next `count` rows, [C,count,W] uint8 or uint16 with C = 1 or 3; no more than are left."""

    def restart(self) -> None:
        """Begins with the first row again. Raises InvalidImage for a source that cannot."""


class TensorRows:
    """The rows of a picture in memory, [C,H,W]; float32 if it was resized."""

    def __init__(self, picture: Tensor, white: float | None = None) -> None:
        self._picture, self._next = picture, 0
        self.size: Size = (picture.shape[1], picture.shape[2])
        self.white = float(torch.iinfo(picture.dtype).max) if white is None else white

    def read(self, count: int) -> Tensor:
        """See RowSource."""
        self._next += count
        return self._picture[:, self._next - count : self._next]

    def restart(self) -> None:
        """See RowSource."""
        self._next = 0


def joined_rows(parts: Sequence[Tensor]) -> Tensor:
    """Consecutive rows [C,n,W] on the CPU in one tensor, see `apart`."""
    channels, _, width = parts[0].shape
    dtype = parts[0].numpy().dtype.type
    joined = torch.from_numpy(apart((channels, sum(part.shape[1] for part in parts), width), dtype))
    return torch.cat(list(parts), 1, out=joined)


class RowWindow:
    """The rows of a source from a first row on, that are still needed. Rows are read once, and dropped by `drop`."""

    def __init__(self, source: RowSource, first: int = 0) -> None:
        self._source, self._first = source, first
        self._parts: list[tuple[int, Tensor]] = []  # consecutive rows, each with the number of its first
        self._end = 0

    def rows(self, wanted: range) -> Tensor:
        """These rows, [C,n,W]; no row before the first that is needed."""
        while self._end < min(self._first, wanted.stop):
            passed = min(PASSED_ROWS, self._first - self._end)
            self._source.read(passed)
            self._end += passed
        if wanted.stop > self._end:
            self._parts.append((self._end, self._source.read(wanted.stop - self._end)))
            self._end = wanted.stop
        found = [
            part[:, max(wanted.start - top, 0) : wanted.stop - top]
            for top, part in self._parts
            if top < wanted.stop and top + part.shape[1] > wanted.start
        ]
        return found[0] if len(found) == 1 else joined_rows(found)

    def drop(self, before: int) -> None:
        """Drops the rows before this one."""
        self._first = max(self._first, before)
        self._parts = [(top, part) for top, part in self._parts if top + part.shape[1] > before]
