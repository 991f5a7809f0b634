"""What the pictures of one request may take together: as much as a request with one picture."""

from asyncio import Event, Lock
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class RequestShare:
    """Delays pictures of a request while others of the same request take too much. For one event loop.

    No picture alone may need more tiles or memory than the share. Pictures that hold `turn` while they are admitted are
    admitted in the order of the request.
    """

    def __init__(self, tiles: int, memory_bytes: int) -> None:
        self._tiles, self._memory_bytes = tiles, memory_bytes
        self._waiting: list[Event] = []
        self.turn = Lock()

    @asynccontextmanager
    async def hold(self, tiles: int, memory_bytes: int) -> AsyncIterator[None]:
        """Waits until the request may take this many tiles and bytes; they are taken until the `with` block ends."""
        while tiles > self._tiles or memory_bytes > self._memory_bytes:
            freed = Event()
            self._waiting.append(freed)
            await freed.wait()
        self._take(tiles, memory_bytes)
        try:
            yield
        finally:
            self._take(-tiles, -memory_bytes)
            waiting, self._waiting = self._waiting, []
            for freed in waiting:
                freed.set()

    def _take(self, tiles: int, memory_bytes: int) -> None:
        self._tiles, self._memory_bytes = self._tiles - tiles, self._memory_bytes - memory_bytes
