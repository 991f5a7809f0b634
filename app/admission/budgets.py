"""The budgets of the process, and their limits: everything that admits work asks here."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from time import monotonic
from typing import Generic, TypeVar

from app.admission.costs import Cost
from app.admission.memory import WorkMemory
from app.admission.queue import TileQueue
from app.admission.share import RequestShare
from app.admission.uploads import Uploads
from app.cgroup import free_memory
from app.errors import TooManyPixels

CANVAS_FACTOR = 4
"""A picture may have this many times `max_pixels` with the padding of its tiles."""
WORK_SHARE = 1 / 2
"""The default share of the free memory for pictures in work; models, batches and the interpreter need the rest."""
WAITING_SHARE = 1 / 4
"""The default share of the free memory for uploads, which may lie in a file system in memory."""
MOST_WAITING_BYTES = 2**30

J = TypeVar("J")


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of the budgets; each has the name of its setting."""

    max_image_bytes: int
    max_waiting_bytes: int
    max_work_bytes: int
    max_pixels: int
    queue_tiles: int

    def require_canvas(self, cost: Cost) -> None:
        """Raises TooManyPixels if a picture has too many pixels with its padding."""
        limit = CANVAS_FACTOR * self.max_pixels
        if cost.canvas_pixels > limit:
            raise TooManyPixels(
                f"the picture has {cost.canvas_pixels:,} pixels with the padding to whole tiles, and the limit is "
                f"{limit:,}, {CANVAS_FACTOR} times max_pixels; cut it into several pictures, or "
                "name a region of it (roi)"
            )


def limits_for(
    *,
    max_image_bytes: int,
    max_waiting_bytes: int,
    max_work_bytes: int,
    max_pixels: int,
    queue_tiles: int,
    free_bytes: Callable[[], int] = free_memory,
) -> Limits:
    """The limits of these settings; 0 bytes: a share of the memory that the process may take now."""
    free = 0 if max_waiting_bytes and max_work_bytes else free_bytes()
    waiting = max_waiting_bytes or max(min(int(free * WAITING_SHARE), MOST_WAITING_BYTES), max_image_bytes)
    return Limits(max_image_bytes, waiting, max_work_bytes or int(free * WORK_SHARE), max_pixels, queue_tiles)


class Budgets(Generic[J]):
    """The budgets of the process.

    uploads: the bytes of unanswered requests
    queue: the tiles of all pictures that wait or run
    memory: the memory of pictures in work
    """

    def __init__(self, limits: Limits, clock: Callable[[], float] = monotonic) -> None:
        self.limits = limits
        self.uploads = Uploads(limits.max_waiting_bytes, limits.max_image_bytes, clock)
        self.queue: TileQueue[J] = TileQueue(limits.queue_tiles, clock)
        self.memory = WorkMemory(limits.max_work_bytes)

    def require(self, cost: Cost) -> None:
        """Raises LimitExceeded if a picture of this cost is never admitted."""
        self.limits.require_canvas(cost)
        self.memory.require(cost.memory_bytes, "the picture")

    def share(self) -> RequestShare:
        """What the pictures of one request may take together."""
        return RequestShare(self.queue.share, self.memory.share)

    def returns(self) -> Iterator[tuple[str, int, int]]:
        """Yields for each budget its setting, and how many clients that came back were admitted and refused."""
        for budget in (self.uploads.budget, self.queue.budget):
            yield budget.name, budget.returns_admitted, budget.returns_refused

    def usage(self) -> Iterator[tuple[str, int, int]]:
        """Yields the setting, the used part and the limit of each budget."""
        for budget in (self.uploads.budget, self.queue.budget):
            yield budget.name, budget.used, budget.limit
        yield self.memory.name, self.memory.used, self.memory.limit
