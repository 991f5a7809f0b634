"""Admission control: limits the number of tiles that wait or run."""

from collections.abc import Callable
from threading import Lock
from types import TracebackType
from typing import Self

from app.errors import Overloaded
from app.scheduling.job import Job
from app.scheduling.pace import Pace

GUESS_S = 1.0
"""The Retry-After of a refusal before any tile was measured."""


class Ticket:
    """Room for a picture's tiles, and the handle of its work. Leaving its `with` block gives the work up.

    That is at once, or with the batch or step that is running; the room is given back when the work has ended.
    """

    def __init__(self, tiles: int, give_up: Callable[["Ticket"], None]) -> None:
        self.tiles = tiles
        self.left = tiles  # tiles that have not run yet
        self.job: Job | None = None  # what was submitted with it
        self._give_up = give_up

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._give_up(self)


class Admission:
    """Counts the tiles of all tickets that were not released; for any thread.

    While there are tickets, `clock` measures how fast their tiles finish. That includes all other work on pictures.
    """

    def __init__(self, queue_tiles: int, clock: Callable[[], float], changed: Callable[[int], None]) -> None:
        self._bound, self._clock, self._changed = queue_tiles, clock, changed
        self._pace = Pace()
        self._lock = Lock()
        self._held: set[Ticket] = set()
        self._tiles = 0
        self._measured_s = 0.0  # until when

    @property
    def tiles(self) -> int:
        """How many tiles are waiting or running."""
        return self._tiles

    def admit(self, tiles: int, give_up: Callable[[Ticket], None] | None = None) -> Ticket:
        """Room for so many tiles; raises Overloaded. More than the bound fit only where nothing else is.

        `give_up` is called when the ticket is left, and must see to its release; by default it is released at once.
        """
        with self._lock:
            excess = self._tiles + min(tiles, self._bound) - self._bound
            if excess > 0:
                raise self._overloaded(tiles, excess)
            if not self._held:
                self._measured_s = self._clock()
            ticket = Ticket(tiles, give_up or self.release)
            self._held.add(ticket)
            self._tiles += tiles
            self._changed(self._tiles)
        return ticket

    def ran(self, tiles: int) -> None:
        """Reports a unit of work: the number of tiles that it ran, or 0."""
        with self._lock:
            now = self._clock()
            self._pace.add(tiles, now - self._measured_s)
            self._measured_s = now

    def _overloaded(self, tiles: int, excess: int) -> Overloaded:
        pace = self._pace.tiles_per_s
        retry_after_s = GUESS_S if pace is None else self._tiles_until_room(excess) / pace
        return Overloaded(
            f"the picture has {tiles} tiles, {self._tiles} of at most {self._bound} are waiting or running; "
            f"there should be room in {retry_after_s:.1f} s",
            retry_after_s,
        )

    def _tiles_until_room(self, excess: int) -> int:
        """The tiles that must run until finished pictures free `excess` tiles; pictures with the fewest left first."""
        freed = run = 0
        for ticket in sorted(self._held, key=lambda ticket: ticket.left):
            freed, run = freed + ticket.tiles, run + ticket.left
            if freed >= excess:
                break
        return run

    def release(self, ticket: Ticket) -> None:
        """Gives a ticket's room back, once."""
        with self._lock:
            if ticket in self._held:
                self._held.remove(ticket)
                self._tiles -= ticket.tiles
                self._changed(self._tiles)
