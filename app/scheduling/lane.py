"""Decides which unit of work one lane does next."""

from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from itertools import chain

from app.scheduling.fair_share import FairShare
from app.scheduling.job import Batch, Job, Probe, State, Step, TileRange, Unit
from app.tiling import Size

AHEAD_BATCHES = 2
"""A lane takes pictures of one size class until their tiles fill this many batches, so that it always has work."""
PATIENCE_BATCHES = 2
"""A small picture may exceed its share by this many batches, so that it finishes before a large one continues."""
TRIES_BEFORE_GROWING = 32
"""After a batch was halved because memory was short, this many batches must succeed before the size is doubled."""


@dataclass(slots=True)
class _Limit:
    tiles: int
    succeeded: int = 0


class Lane:
    """The pictures that a lane has in flight, grouped into flows: one for each model and size class.

    Device time is shared fairly among models, and among the size classes of each model. Pictures of one flow run in
    order. So a small picture waits for earlier pictures of its own size class and for one unit of a large picture,
    never for the end of the large picture. A large picture keeps its share, however many small pictures arrive.
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
        """The number of jobs in flight."""
        return sum(map(len, self._flows.values()))

    def has_model(self, model: Hashable) -> bool:
        """Whether the lane has pictures of the model in flight."""
        return any(each == model for each, _ in self._flows)

    def has_room(self, job: Job) -> bool:
        """Whether the lane's tiles of the job's flow fill fewer than AHEAD_BATCHES batches."""
        left = sum(each.left for each in self._flows.get((job.model, job.size), ()))
        return left < AHEAD_BATCHES * self.limit(job)

    def take(self, job: Job) -> None:
        """Puts the job in flight."""
        job.state = State.stepping
        self._flows.setdefault((job.model, job.size), []).append(job)

    def remove(self, job: Job) -> None:
        """Takes the job out of flight."""
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
        """Decides the next unit, and stores it as `unit`."""
        unit = self._retries.pop() if self._retries else self._choose()
        for job in unit.jobs if unit else ():
            job.state = State.running
        self.unit = unit
        return unit

    def probe(self) -> Probe:
        """Makes a test of the device the next unit."""
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
        """A batch of tiles of the first job, filled with tiles of the other jobs."""
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
        """Charges the unit's time to the models and size classes of its jobs."""
        if isinstance(unit, Batch):
            self._batch_s[unit.jobs[0].model] = seconds
        for job, own_s in unit.time_of_jobs(seconds):
            self._models.charge(job.model, own_s)
            self._sizes.setdefault(job.model, FairShare()).charge(job.size, own_s)

    def retry_in_halves(self, batch: Batch) -> None:
        """Runs the pictures of a failed batch again, in two halves, before anything else."""
        middle = len(batch.ranges) // 2
        halves = batch.ranges[middle:], batch.ranges[:middle]
        self._retries += [Batch(ranges, batch.room) for ranges in halves if ranges]

    def limit(self, job: Job) -> int:
        """The largest number of such tiles in one batch: `job.limit`, or less if a batch has run out of memory."""
        learned = self._limits.get((job.model, job.shape))
        return job.limit if learned is None else min(job.limit, learned.tiles)

    def halve(self, batch: Batch) -> None:
        """The batch did not fit into memory: runs its tiles again, in smaller batches."""
        first = batch.jobs[0]
        self._limits[first.model, first.shape] = _Limit(max(1, batch.tiles // 2))
        for part in batch.ranges:
            part.job.issued = part.indices.start
            part.job.state = State.ready

    def grow(self, batch: Batch) -> None:
        """The batch fitted into memory: after TRIES_BEFORE_GROWING such batches, tries larger ones."""
        first = batch.jobs[0]
        learned = self._limits.get((first.model, first.shape))
        if learned is None or batch.tiles < learned.tiles:
            return
        learned.succeeded += 1
        if learned.succeeded >= TRIES_BEFORE_GROWING:
            self._limits[first.model, first.shape] = _Limit(2 * learned.tiles)
            if 2 * learned.tiles >= first.limit:
                del self._limits[first.model, first.shape]
