"""The units of scheduling, without tensors."""

from collections.abc import Hashable
from dataclasses import dataclass
from enum import Enum, auto

from app.tiling import Size

_SMALLEST_BITS = 17


def size_class(pixels: int) -> int:
    """0 below 512 x 512 pixels; one more for each doubling of the edges."""
    return max(0, pixels.bit_length() - _SMALLEST_BITS) // 2


class State(Enum):
    """The state of a job."""

    waiting = auto()  # in the queue
    stepping = auto()  # its next unit is a step of its own: preparing, stitching, the map
    ready = auto()  # its next unit is a batch of tiles
    running = auto()  # in the current unit, or in the rest of a failed batch that is being bisected
    gone = auto()  # no longer in the scheduler


@dataclass(slots=True, eq=False)
class Job:
    """The work on a picture: first steps of its own, then batches of tiles, with steps of its own after each batch.

    model: identifies the model
    shape: the (height, width) of the tiles, as the network sees them
    tiles: the number of tiles
    limit: the largest number of such tiles in one batch
    lanes: the largest number of lanes that pictures of the model may be in; None: no limit
    background: whether it has the lowest share of the devices while there are other jobs

    The other fields belong to the scheduler.
    """

    model: Hashable
    shape: Size
    tiles: int
    limit: int
    lanes: int | None = None
    background: bool = False
    issued: int = 0  # the number of tiles that were put into batches
    state: State = State.waiting
    dropped: bool = False  # given up while it was in the current unit

    @property
    def left(self) -> int:
        """The number of tiles that were in no batch yet."""
        return self.tiles - self.issued

    @property
    def batch_pixels(self) -> int:
        """The number of pixels in the largest batch of such tiles."""
        return min(self.tiles, self.limit) * self.shape[0] * self.shape[1]

    @property
    def size(self) -> int:
        """The size class of the picture."""
        return size_class(self.tiles * self.shape[0] * self.shape[1])


@dataclass(frozen=True, slots=True)
class TileRange:
    """The tiles of one picture in a batch."""

    job: Job
    indices: range


@dataclass(frozen=True, slots=True)
class Batch:
    """Tiles of one model and one shape, of one or several pictures; `room` is the largest number of tiles allowed."""

    ranges: tuple[TileRange, ...]
    room: int

    @property
    def tiles(self) -> int:
        """The number of tiles."""
        return sum(len(part.indices) for part in self.ranges)

    @property
    def jobs(self) -> tuple[Job, ...]:
        """The jobs that the tiles belong to."""
        return tuple(part.job for part in self.ranges)

    @property
    def pixels(self) -> int:
        """The number of pixels of the tiles."""
        height, width = self.ranges[0].job.shape
        return self.tiles * height * width

    def time_of_jobs(self, seconds: float) -> list[tuple[Job, float]]:
        """Divides the time of the unit among the jobs, in proportion to their tiles."""
        return [(part.job, seconds * len(part.indices) / self.tiles) for part in self.ranges]


@dataclass(frozen=True, slots=True)
class Step:
    """The next step of the work on one picture."""

    job: Job

    @property
    def jobs(self) -> tuple[Job, ...]:
        """The job that the step belongs to."""
        return (self.job,)

    @property
    def pixels(self) -> int:
        """The number of pixels of a batch of the job, whose features a step stitches and measures."""
        return self.job.batch_pixels

    def time_of_jobs(self, seconds: float) -> list[tuple[Job, float]]:
        """All of the time belongs to the job."""
        return [(self.job, seconds)]


@dataclass(frozen=True, slots=True)
class Probe:
    """A test of a device that failed."""

    @property
    def jobs(self) -> tuple[Job, ...]:
        """Empty: no job takes part."""
        return ()

    @property
    def pixels(self) -> int:
        """0: a test has no size of its own."""
        return 0

    def time_of_jobs(self, seconds: float) -> list[tuple[Job, float]]:
        """Empty: no job takes part."""
        return []


Unit = Batch | Step | Probe
