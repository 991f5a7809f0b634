"""Which tiles and steps run next, on which device: a state machine without threads, clocks or tensors."""

from collections import deque
from collections.abc import Hashable

from app.scheduling.job import Batch, Job, State, Step, Unit
from app.scheduling.lane import Lane


class Scheduler:
    """Pictures wait in one queue for each model and size class; a device takes the oldest of each that it has room for.

    A device asks for its `next` unit, does it, and says how that went with exactly one of `ran`, `stepped`, `failed`
    and `ran_out_of_memory`, which return the jobs that are in the scheduler no longer. A picture stays on the device
    that took it. Not for several threads at once.
    """

    def __init__(self, devices: int = 1) -> None:
        self._lanes = [Lane() for _ in range(devices)]
        self._waiting: dict[tuple[Hashable, int], deque[Job]] = {}
        self._suspended: set[int] = set()

    @property
    def in_flight(self) -> int:
        """How many jobs devices have."""
        return sum(lane.count for lane in self._lanes)

    def has_jobs(self, device: int) -> bool:
        """Whether the device has jobs in flight."""
        return self._lanes[device].count > 0

    def add(self, job: Job) -> None:
        """The job waits from now on."""
        self._waiting.setdefault((job.model, job.size), deque()).append(job)

    def next(self, device: int) -> Unit | None:
        """What the device does now; None if there is nothing to do."""
        lane = self._lanes[device]
        if device not in self._suspended or len(self._suspended) == len(self._lanes):
            self._fill(lane)
        return lane.next()

    def _fill(self, lane: Lane) -> None:
        for key, queue in list(self._waiting.items()):
            while queue and lane.has_room(queue[0]) and self._may_be_in(lane, queue[0]):
                lane.take(queue.popleft())
            if not queue:
                del self._waiting[key]

    def _may_be_in(self, lane: Lane, job: Job) -> bool:
        """Whether the job's model would then be in no more lanes than it may be."""
        having = [each for each in self._lanes if each.has_model(job.model)]
        return job.lanes is None or lane in having or len(having) < job.lanes

    def suspend(self, device: int, suspended: bool) -> None:
        """A device that failed takes no job from the queue while there are others."""
        (self._suspended.add if suspended else self._suspended.discard)(device)

    def ran(self, device: int, seconds: float) -> list[Job]:
        """The batch was run: steps of its pictures are due."""
        lane, batch = self._end(device, seconds)
        assert isinstance(batch, Batch)
        lane.grow(batch)
        for job in batch.jobs:
            job.state = State.stepping
        return _without_dropped(lane, batch)

    def stepped(self, device: int, seconds: float, last: bool) -> list[Job]:
        """The step was done, and was the last one that was due; after the last tiles, that ends the job."""
        lane, step = self._end(device, seconds)
        assert isinstance(step, Step)
        step.job.state = State.ready if last else State.stepping
        if last and not step.job.left:
            lane.remove(step.job)
            return [step.job]
        return _without_dropped(lane, step)

    def failed(self, device: int, seconds: float, by_picture: bool = True) -> list[Job]:
        """The unit failed. Halves of a batch are tried, if a picture can be the cause; else all is given up."""
        lane, unit = self._end(device, seconds)
        gone = _without_dropped(lane, unit)
        if isinstance(unit, Batch) and len(unit.shares) > 1 and by_picture:
            lane.retry_in_halves(Batch(tuple(share for share in unit.shares if not share.job.dropped), unit.room))
            return gone
        for job in unit.jobs:
            if not job.dropped:
                lane.remove(job)
                gone.append(job)
        return gone

    def ran_out_of_memory(self, device: int, seconds: float) -> list[Job]:
        """The unit found too little memory: fewer tiles are run at once, and a single one or a step is given up."""
        lane = self._lanes[device]
        if not isinstance(lane.unit, Batch) or lane.unit.tiles == 1:
            return self.failed(device, seconds)
        lane, batch = self._end(device, seconds)
        assert isinstance(batch, Batch)
        lane.halve(batch)
        return _without_dropped(lane, batch)

    def remove(self, job: Job) -> bool:
        """Gives the job up, at once and True, or once its unit has ended if it is in one."""
        if job.state is State.waiting:
            self._waiting[job.model, job.size].remove(job)
            job.state = State.gone
        elif job.state is not State.gone:
            if any(lane.unit is not None and job in lane.unit.jobs for lane in self._lanes):
                job.dropped = True
                return False
            next(lane for lane in self._lanes if job in lane.jobs).remove(job)
        return True

    def drop_waiting(self) -> list[Job]:
        """Gives up all jobs that no device took, and returns them."""
        jobs = [job for queue in self._waiting.values() for job in queue]
        for job in jobs:
            job.state = State.gone
        self._waiting.clear()
        return jobs

    def drop_flight(self, device: int) -> list[Job]:
        """Gives up all jobs of a device that is at no unit, and returns them."""
        lane = self._lanes[device]
        jobs = list(lane.jobs)
        for job in jobs:
            lane.remove(job)
        return jobs

    def _end(self, device: int, seconds: float) -> tuple[Lane, Unit]:
        lane = self._lanes[device]
        unit, lane.unit = lane.unit, None
        assert unit is not None
        lane.charge(unit, seconds)
        return lane, unit


def _without_dropped(lane: Lane, unit: Unit) -> list[Job]:
    """Removes the unit's jobs that were given up meanwhile."""
    dropped = [job for job in unit.jobs if job.dropped]
    for job in dropped:
        lane.remove(job)
    return dropped
