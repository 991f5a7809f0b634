"""What is scheduled, apart from what it computes."""

from collections.abc import Hashable
from dataclasses import dataclass
from enum import Enum, auto

from app.tiling import Size

_SMALLEST_BITS = 17


def size_class(pixels: int) -> int:
    """0 for less than 512 x 512 pixels, and one more for each doubling of the edges from there on."""
    return max(0, pixels.bit_length() - _SMALLEST_BITS) // 2


class State(Enum):
    """Where a job is."""

    waiting = auto()  # no device has it
    stepping = auto()  # its own work is due: opening it, stitching, its map
    ready = auto()  # its next tiles are
    running = auto()  # in the unit that a device is at, or in a part of a batch that failed
    gone = auto()


@dataclass(slots=True, eq=False)
class Job:
    """A picture's work: steps of its own, then tiles, steps of its own after each batch that had some of them.

    `model` is whatever tells models apart, `shape` the tiles' as the network sees them, `limit` how many of these may
    run at once, and `lanes` in how many lanes the model's pictures may be (None: in all). The rest is the scheduler's.
    """

    model: Hashable
    shape: Size
    tiles: int
    limit: int
    lanes: int | None = None
    issued: int = 0
    state: State = State.waiting
    dropped: bool = False  # removed while it ran

    @property
    def left(self) -> int:
        """How many tiles were in no batch yet."""
        return self.tiles - self.issued

    @property
    def size(self) -> int:
        """The class of its work."""
        return size_class(self.tiles * self.shape[0] * self.shape[1])


@dataclass(frozen=True, slots=True)
class TileRange:
    """The tiles of a picture in a batch."""

    job: Job
    indices: range


@dataclass(frozen=True, slots=True)
class Batch:
    """Tiles of one model and one shape, of as many pictures as it takes; `room` is how many tiles there might be."""

    ranges: tuple[TileRange, ...]
    room: int

    @property
    def tiles(self) -> int:
        """How many tiles there are."""
        return sum(len(part.indices) for part in self.ranges)

    @property
    def jobs(self) -> tuple[Job, ...]:
        """Whose tiles they are."""
        return tuple(part.job for part in self.ranges)

    def time_of_jobs(self, seconds: float) -> list[tuple[Job, float]]:
        """How much of its time is whose."""
        return [(part.job, seconds * len(part.indices) / self.tiles) for part in self.ranges]


@dataclass(frozen=True, slots=True)
class Step:
    """The next step of a picture's own work."""

    job: Job

    @property
    def jobs(self) -> tuple[Job, ...]:
        """Whose step it is."""
        return (self.job,)

    def time_of_jobs(self, seconds: float) -> list[tuple[Job, float]]:
        """All of its time is the picture's."""
        return [(self.job, seconds)]


@dataclass(frozen=True, slots=True)
class Probe:
    """A test of a device that failed."""

    @property
    def jobs(self) -> tuple[Job, ...]:
        """No picture takes part."""
        return ()

    def time_of_jobs(self, seconds: float) -> list[tuple[Job, float]]:
        """Its time is nobody's."""
        return []


Unit = Batch | Step | Probe
