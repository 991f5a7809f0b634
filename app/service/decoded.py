"""Limits the decoded pixels that are held in memory."""

import asyncio
from collections import defaultdict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from app.scheduling import size_class

PIXELS = 2**24
"""The largest number of decoded pixels of one size class, beyond the AT_LEAST pictures: 16 of 1024 x 1024."""
AT_LEAST = 2
"""One picture on the device and one waiting."""


@dataclass(slots=True)
class _Line:
    pictures: int = 0
    pixels: int = 0
    waiting: deque[tuple[int, asyncio.Future[None]]] = field(default_factory=deque)

    def has_room(self, pixels: int) -> bool:
        return self.pictures < AT_LEAST or self.pixels + pixels <= PIXELS

    def enter(self, pixels: int) -> None:
        self.pictures, self.pixels = self.pictures + 1, self.pixels + pixels

    def leave(self, pixels: int) -> None:
        self.pictures, self.pixels = self.pictures - 1, self.pixels - pixels
        while self.waiting and (self.waiting[0][1].done() or self.has_room(self.waiting[0][0])):
            size, turn = self.waiting.popleft()
            if not turn.done():
                self.enter(size)
                turn.set_result(None)


class DecodedPixels:
    """Delays the decoding of pictures while too many decoded pixels are held; first come, first served.

    Each size class has its own queue, so that no picture waits for larger ones. For one event loop.
    """

    def __init__(self) -> None:
        self._lines: defaultdict[int, _Line] = defaultdict(_Line)

    @asynccontextmanager
    async def hold(self, pixels: int) -> AsyncIterator[None]:
        """Waits until a picture of this many pixels may be decoded; counts its pixels until the `with` block ends."""
        line = self._lines[size_class(pixels)]
        if not line.waiting and line.has_room(pixels):
            line.enter(pixels)
        else:
            turn = asyncio.get_running_loop().create_future()
            line.waiting.append((pixels, turn))
            try:
                await turn
            except asyncio.CancelledError:
                if turn.done() and not turn.cancelled():
                    line.leave(pixels)  # it was admitted just before it was cancelled
                raise
        try:
            yield
        finally:
            line.leave(pixels)
