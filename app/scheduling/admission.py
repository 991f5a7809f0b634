"""Admission control: limits the number of tiles that wait or run."""

from collections.abc import Callable
from threading import Lock
from types import TracebackType
from typing import Self

from app.errors import Overloaded
from app.scheduling.job import Job
from app.scheduling.pace import Pace

GUESS_S = 1.0
"""The Retry-After of a refusal before any tile was measured, in seconds."""


class Ticket:
    """Reserves room in the queue for a picture's tiles, and controls the picture's work.

    Leaving the `with` block ends the work: at once, or after the batch or step that is running. The room is released
    when the work has ended.
    """

    def __init__(self, tiles: int, give_up: Callable[["Ticket"], None]) -> None:
        self.tiles = tiles
        self.left = tiles  # tiles that have not run yet
        self.job: Job | None = None  # the job that was submitted with this ticket
        self._give_up = give_up

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._give_up(self)


class Admission:
    """Counts the tiles of all tickets that are not released. Every method may be called from any thread.

    While there are tickets, measures with `clock` how fast tiles finish. The time includes all other work on pictures.
    `changed` is called with the new number of tiles.
    """

    def __init__(self, queue_tiles: int, clock: Callable[[], float], changed: Callable[[int], None]) -> None:
        self._bound, self._clock, self._changed = queue_tiles, clock, changed
        self._pace = Pace()
        self._lock = Lock()
        self._held: set[Ticket] = set()
        self._tiles = 0
        self._measured_s = 0.0  # the time of the last measurement

    @property
    def tiles(self) -> int:
        """The number of tiles that wait or run."""
        return self._tiles

    def admit(self, tiles: int, give_up: Callable[[Ticket], None] | None = None) -> Ticket:
        """A ticket for this number of tiles; raises Overloaded.

        A picture with more tiles than the limit is admitted only if no other tile waits or runs. `give_up` is called
        when the ticket's `with` block is left, and must release the ticket, at once or later; by default at once.
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
        """Releases a ticket's room. Has no effect if the room is already released."""
        with self._lock:
            if ticket in self._held:
                self._held.remove(ticket)
                self._tiles -= ticket.tiles
                self._changed(self._tiles)
