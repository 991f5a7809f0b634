"""The queue of tiles: limits the tiles of all pictures that wait or run."""

from collections.abc import Callable, Hashable
from random import random
from types import TracebackType
from typing import Generic, Self, TypeVar

from app.admission.budget import Budget, Demand, Hold
from app.errors import Overloaded

NAME = "queue_tiles"
DEADLINE = "request_timeout_s"
SHARE = 1 / 8
"""The share of the queue that one request takes at most: the further tiles of a large picture count only as work."""
UNDIVIDED = 512
"""A queue with fewer tiles is not divided into shares: one request may take all of it."""

J = TypeVar("J")


class Ticket(Generic[J]):
    """Room in the queue for the tiles of a picture, or of all pictures of a request, and control of the work.

    Leaving the `with` block ends the work: at once, or after the batch or step that is running. The room is released
    when the work has ended.

    tiles: the number of tiles
    job: the job that was submitted with this ticket
    """

    def __init__(
        self, tiles: int, budget: Budget, hold: Hold, give_up: Callable[["Ticket[J]"], None], is_part: bool = False
    ) -> None:
        self.tiles, self.is_part = tiles, is_part
        self.job: J | None = None
        self._budget, self._hold, self._give_up = budget, hold, give_up

    def part(self, tiles: int) -> "Ticket[J]":
        """A ticket for one picture of the request. It takes no further room, and releases none."""
        return Ticket(tiles, self._budget, self._hold, self._give_up, is_part=True)

    def ran(self, tiles: int) -> None:
        """Reports tiles of the ticket that have run."""
        self._budget.ran(self._hold, tiles)

    def release(self) -> bool:
        """Releases the room; False if that was done already, or is done with the ticket of the whole request."""
        return not self.is_part and self._budget.release(self._hold)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._give_up(self)


class BandTicket(Ticket[J]):
    """Control of the work on a band. It takes no room in the queue: its picture or stream was admitted as a whole."""

    def __init__(self, budget: Budget, give_up: Callable[[Ticket[J]], None]) -> None:
        super().__init__(0, budget, Hold(0, 0, 0), give_up)

    def ran(self, tiles: int) -> None:
        """Counts nothing."""

    def release(self) -> bool:
        """False: there is no room to release."""
        return False


class TileQueue(Generic[J]):
    """Counts the tiles of all tickets that are not released. Every method may be called from any thread.

    While there are tickets, measures with `clock` how fast tiles finish. The time includes all other work on pictures.
    """

    def __init__(self, limit: int, clock: Callable[[], float], draw: Callable[[], float] = random) -> None:
        self.share = int(limit * SHARE) if limit >= UNDIVIDED else limit
        self.budget = Budget(NAME, "tiles", limit, self.share, clock, draw)
        self.changed: Callable[[int], None] = lambda _: None
        self._tiles = 0

    @property
    def tiles(self) -> int:
        """The number of tiles that wait or run; those of a large picture are all counted here."""
        return self._tiles

    def counted(self, tiles: int) -> int:
        """The tiles that count against the limit, of a request with this number of tiles."""
        return min(tiles, self.share)

    def admit(
        self,
        tiles: int,
        give_up: Callable[[Ticket[J]], None] | None = None,
        *,
        key: Hashable = None,
        tile_s: float | None = None,
        limit_s: float | None = None,
        partial: bool = False,
    ) -> Ticket[J]:
        """A ticket for this number of tiles; raises Overloaded.

        key: is equal for the same request when it comes back
        tile_s: the expected seconds of a tile, if they are known
        limit_s: the time limit of the request; a request whose tiles cannot have run by then is refused
        partial: whether the request is answered at its limit with what has run by then; it is refused only if the tiles
            before it take longer
        give_up: called when the ticket's `with` block is left; must release the ticket, at once or later (default: at
            once)
        """
        what = f"the request has {tiles:,} tile{'s'[: tiles != 1]} to compute, and"
        with self.budget.lock:
            if limit_s is not None:
                self._require_time(1 if partial else tiles, limit_s, what)
            hold = self.budget.admit(Demand(self.counted(tiles), tiles, key, tile_s, what))
            self._add(tiles)
        return Ticket(tiles, self.budget, hold, give_up or self.release)

    def band(self, give_up: Callable[[Ticket[J]], None]) -> Ticket[J]:
        """A ticket for a band; see `admit` for `give_up`."""
        return BandTicket(self.budget, give_up)

    def _require_time(self, tiles: int, limit_s: float, what: str) -> None:
        """Raises Overloaded if the earlier tiles of requests of this size would take longer than the limit.

        Nothing else is known of a request that finds none before it: it may try.
        """
        rate, ahead = self.budget.rate(), self.budget.work_ahead(self.counted(tiles))
        if rate is None or not ahead or (ahead + tiles) / rate <= limit_s:
            return
        total_s = (ahead + tiles) / rate
        told_s = self.budget.told_s(total_s - limit_s)
        raise Overloaded(
            f"{what} {ahead:,} are before them: both take about {total_s:.0f} s, longer than the request's limit of "
            f"{limit_s:g} s; allow more time (X-Request-Timeout, {DEADLINE}), or come back in {told_s} s",
            told_s,
            DEADLINE,
        )

    def measure(self, tiles: int) -> None:
        """Measures the rate after a unit of work: the number of tiles that it ran, or 0."""
        self.budget.measure(tiles)

    def release(self, ticket: Ticket[J]) -> None:
        """Releases a ticket's room, unless the ticket is a part."""
        with self.budget.lock:
            if ticket.release():
                self._add(-ticket.tiles)

    def _add(self, tiles: int) -> None:
        self._tiles += tiles
        self.changed(self._tiles)
