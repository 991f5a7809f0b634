"""What one device does next with the pictures that it has."""

from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from itertools import chain

from app.scheduling.fair_share import FairShare
from app.scheduling.job import Batch, Job, Probe, State, Step, TileRange, Unit
from app.tiling import Size

AHEAD_BATCHES = 2
"""How many batches' tiles of pictures of one size are in flight at most, so that one is opened while another ends."""
PATIENCE_BATCHES = 2
"""For so many batches' time a small picture goes on, beyond its share, and so ends before a large one is next."""
TRIES_BEFORE_GROWING = 32
"""How many batches of a size that was halved for want of memory must succeed before twice as many are tried."""


@dataclass(slots=True)
class _Limit:
    tiles: int
    succeeded: int = 0


class Lane:
    """The pictures that a device has in flight, in flows of one model and one size class each.

    Time is shared fairly among models, and among each model's size classes; within one, pictures come in order. So a
    small picture waits for those of its own size and for one unit of a large one, and never for a large one's end; and
    a large one has its share however many small ones come.
    """

    def __init__(self) -> None:
        self.unit: Unit | None = None
        self._flows: dict[tuple[Hashable, int], list[Job]] = {}  # by model and size; the oldest first
        self._models: FairShare[Hashable] = FairShare()
        self._sizes: dict[Hashable, FairShare[int]] = {}
        self._batch_s: dict[Hashable, float] = {}
        self._retries: list[Batch] = []
        self._limits: dict[tuple[Hashable, Size], _Limit] = {}

    @property
    def jobs(self) -> Iterator[Job]:
        return chain.from_iterable(self._flows.values())

    @property
    def count(self) -> int:
        """How many are in flight."""
        return sum(map(len, self._flows.values()))

    def has_model(self, model: Hashable) -> bool:
        """Whether pictures of the model are in flight here."""
        return any(each == model for each, _ in self._flows)

    def has_room(self, job: Job) -> bool:
        """Whether those of its flow that are here could not fill the next batches."""
        left = sum(each.left for each in self._flows.get((job.model, job.size), ()))
        return left < AHEAD_BATCHES * self.limit(job)

    def take(self, job: Job) -> None:
        """The job is in flight from now on."""
        job.state = State.stepping
        self._flows.setdefault((job.model, job.size), []).append(job)

    def remove(self, job: Job) -> None:
        """The job is no longer in flight."""
        job.state = State.gone
        flow = self._flows[job.model, job.size]
        flow.remove(job)
        if not flow:
            del self._flows[job.model, job.size]
        kept = (
            Batch(tuple(part for part in batch.ranges if part.job is not job), batch.room) for batch in self._retries
        )
        self._retries = [batch for batch in kept if batch.ranges]

    def next(self) -> Unit | None:
        """Decides what to do, and remembers it as `unit`."""
        unit = self._retries.pop() if self._retries else self._choose()
        for job in unit.jobs if unit else ():
            job.state = State.running
        self.unit = unit
        return unit

    def probe(self) -> Probe:
        """The device is tested next."""
        self.unit = Probe()
        return self.unit

    def _choose(self) -> Batch | Step | None:
        if not self._flows:
            self._models.reset()
            self._sizes.clear()
            return None
        model = self._models.pick(list(dict.fromkeys(model for model, _ in self._flows)))
        sizes = sorted(size for each, size in self._flows if each == model)
        patience_s = PATIENCE_BATCHES * self._batch_s.get(model, 0.0)
        size = self._sizes.setdefault(model, FairShare()).pick(sizes, patience_s)
        flow = self._flows[model, size]
        stepping = next((job for job in flow if job.state is State.stepping), None)
        if stepping is not None:
            return Step(stepping)
        return self._batch([*flow, *chain.from_iterable(self._flows[model, each] for each in sizes if each != size)])

    def _batch(self, jobs: list[Job]) -> Batch:
        """A batch of the first job's tiles, and then of the others'."""
        shape, room = jobs[0].shape, self.limit(jobs[0])
        ranges: list[TileRange] = []
        free = room
        for job in jobs:
            if job.state is State.ready and job.shape == shape and free:
                indices = range(job.issued, job.issued + min(free, job.left))
                job.issued = indices.stop
                free -= len(indices)
                ranges.append(TileRange(job, indices))
        return Batch(tuple(ranges), room)

    def charge(self, unit: Unit, seconds: float) -> None:
        """The unit took so long: each model and size pays for its own."""
        if isinstance(unit, Batch):
            self._batch_s[unit.jobs[0].model] = seconds
        for job, own_s in unit.time_of_jobs(seconds):
            self._models.charge(job.model, own_s)
            self._sizes.setdefault(job.model, FairShare()).charge(job.size, own_s)

    def retry_in_halves(self, batch: Batch) -> None:
        """Its pictures run again, half of them at a time, before anything else."""
        middle = len(batch.ranges) // 2
        halves = batch.ranges[middle:], batch.ranges[:middle]
        self._retries += [Batch(ranges, batch.room) for ranges in halves if ranges]

    def limit(self, job: Job) -> int:
        """How many tiles like the job's may run at once, as far as is known."""
        learned = self._limits.get((job.model, job.shape))
        return job.limit if learned is None else min(job.limit, learned.tiles)

    def halve(self, batch: Batch) -> None:
        """Its tiles were too many: they are due again, fewer at once."""
        first = batch.jobs[0]
        self._limits[first.model, first.shape] = _Limit(max(1, batch.tiles // 2))
        for part in batch.ranges:
            part.job.issued = part.indices.start
            part.job.state = State.ready

    def grow(self, batch: Batch) -> None:
        """Its tiles were not too many: after a while, more are tried again."""
        first = batch.jobs[0]
        learned = self._limits.get((first.model, first.shape))
        if learned is None or batch.tiles < learned.tiles:
            return
        learned.succeeded += 1
        if learned.succeeded >= TRIES_BEFORE_GROWING:
            self._limits[first.model, first.shape] = _Limit(2 * learned.tiles)
            if 2 * learned.tiles >= first.limit:
                del self._limits[first.model, first.shape]
