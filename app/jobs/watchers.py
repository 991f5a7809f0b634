"""Clients that follow the events of jobs."""

import asyncio
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Lock


class Watchers:
    """Wakes those who follow a job. Any thread may call any method.

    closed: whether the server ends, so that nobody should wait any more
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._waiting: dict[str, set[tuple[asyncio.AbstractEventLoop, asyncio.Event]]] = defaultdict(set)
        self.closed = False

    @contextmanager
    def watching(self, id: str) -> Iterator[asyncio.Event]:
        """Yields an event of the running loop, which is set whenever something happens to the job."""
        own = asyncio.get_running_loop(), asyncio.Event()
        with self._lock:
            self._waiting[id].add(own)
        try:
            yield own[1]
        finally:
            with self._lock:
                self._waiting[id].discard(own)
                if not self._waiting[id]:
                    del self._waiting[id]

    def ids(self) -> list[str]:
        """The jobs that somebody follows."""
        with self._lock:
            return list(self._waiting)

    def notify(self, id: str) -> None:
        """Something happened to the job."""
        with self._lock:
            waiting = list(self._waiting.get(id, ()))
        _wake(waiting)

    def close(self) -> None:
        """Ends all waiting."""
        self.closed = True
        with self._lock:
            waiting = [each for group in self._waiting.values() for each in group]
        _wake(waiting)


def _wake(waiting: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]]) -> None:
    for loop, event in waiting:
        with suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(event.set)
