"""Who may wait for the device: a bound on the tiles that are waiting or running."""

from collections.abc import Callable
from concurrent.futures import Future
from threading import Lock
from types import TracebackType
from typing import Self

from app.errors import Overloaded
from app.scheduling.pace import Pace

GUESS_S = 1.0
"""What Retry-After says before any tile was measured."""


class Ticket:
    """Room for a picture's tiles. Leaving its `with` block gives the room back, as soon as no tile is running.

    Work that was submitted with it and still waits is dropped then; if it runs, it ends with its current batch.
    """

    def __init__(self, tiles: int, release: Callable[["Ticket"], None]) -> None:
        self.tiles = tiles
        self.abandoned = False
        self._release = release
        self._work: Future[object] | None = None

    def bind(self, work: Future[object]) -> None:
        """The room is given back when this work is done."""
        self._work = work
        work.add_done_callback(lambda _: self._release(self))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.abandoned = True
        if self._work is None:
            self._release(self)
        else:
            self._work.cancel()  # does nothing to work that is running or done


class Admission:
    """Counts the tiles of all tickets that were not given back, from any thread."""

    def __init__(self, queue_tiles: int, pace: Pace, changed: Callable[[int], None]) -> None:
        self._bound, self._pace, self._changed = queue_tiles, pace, changed
        self._lock = Lock()
        self._held: set[Ticket] = set()
        self._tiles = 0

    @property
    def tiles(self) -> int:
        """How many tiles are waiting or running."""
        return self._tiles

    def admit(self, tiles: int) -> Ticket:
        """Room for so many tiles; raises Overloaded. More than the bound fit only where nothing else is."""
        with self._lock:
            excess = self._tiles + min(tiles, self._bound) - self._bound
            if excess > 0:
                raise self._overloaded(tiles, excess)
            ticket = Ticket(tiles, self._give_back)
            self._held.add(ticket)
            self._tiles += tiles
            self._changed(self._tiles)
        return ticket

    def _overloaded(self, tiles: int, excess: int) -> Overloaded:
        pace = self._pace.tiles_per_s
        retry_after_s = GUESS_S if pace is None else excess / pace
        return Overloaded(
            f"the picture has {tiles} tiles, {self._tiles} of at most {self._bound} are waiting or running; "
            f"there should be room in {retry_after_s:.1f} s",
            retry_after_s,
        )

    def _give_back(self, ticket: Ticket) -> None:
        with self._lock:
            if ticket in self._held:
                self._held.remove(ticket)
                self._tiles -= ticket.tiles
                self._changed(self._tiles)
