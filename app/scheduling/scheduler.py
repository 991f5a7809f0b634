"""Decides which tiles and steps run next, in which lane: a state machine without threads, clocks or tensors."""

from collections import deque
from collections.abc import Hashable

from app.scheduling.job import Batch, Job, Probe, State, Step, Unit
from app.scheduling.lane import Lane
from app.scheduling.quarantine import Quarantine
from app.scheduling.spare_time import SpareTime


class Scheduler:
    """Queues pictures by model and size class, and gives lanes units of work. A lane takes the oldest pictures first.

    A lane is a GPU, or a share of a CPU, and runs one unit at a time. A lane gets its `next` unit, runs the unit, and
    reports the result with exactly one of `ran`, `stepped`, `probed`, `failed`, `device_failed` and
    `ran_out_of_memory`. These methods return the jobs that have left the scheduler. A picture stays in the lane that
    took it. The result of a unit that was abandoned must not be reported. Not thread-safe.

    Background jobs get the time in which there are no other jobs, and otherwise the small share of `SpareTime`.
    Their tiles are never in one batch with those of other jobs.
    """

    def __init__(self, lanes: int = 1) -> None:
        self._lanes = [Lane() for _ in range(lanes)]
        self._background = [Lane() for _ in range(lanes)]  # the background jobs of each lane
        self._spare = SpareTime()
        self._waiting: dict[tuple[bool, Hashable, int], deque[Job]] = {}  # see `_queue_of`
        self._quarantine = Quarantine()

    @property
    def in_flight(self) -> int:
        """The number of jobs in flight."""
        return sum(lane.count for lane in (*self._lanes, *self._background))

    @property
    def failed_lanes(self) -> frozenset[int]:
        """The lanes whose device failed and has not worked since."""
        return self._quarantine.failed

    @property
    def is_closed(self) -> bool:
        """Whether all lanes have failed, and none of them takes a picture before its device passed a test."""
        return len(self._quarantine.failed & self._quarantine.closed) == len(self._lanes)

    @property
    def has_background(self) -> bool:
        """Whether there are background jobs, in flight or waiting."""
        return any(lane.count for lane in self._background) or any(key[0] for key in self._waiting)

    def is_computing(self, lane: int) -> bool:
        """Whether the lane runs a unit, or will run one when it asks for it."""
        live, background = self._parts(lane)
        return self.is_busy(lane) or live.count > 0 or (background.count > 0 and self._is_alone)

    def is_busy(self, lane: int) -> bool:
        """Whether the lane has a unit whose result was not reported yet."""
        return any(part.unit is not None for part in self._parts(lane))

    def runs(self, lane: int, unit: Unit) -> bool:
        """Whether this is the lane's unit. It is not, once the unit was abandoned."""
        return any(part.unit is unit for part in self._parts(lane))

    def is_waiting(self, job: Job) -> bool:
        """Whether no lane has taken the job."""
        return job.state is State.waiting

    def add(self, job: Job) -> None:
        """Appends the job to its queue."""
        self._waiting.setdefault(_queue_of(job), deque()).append(job)

    def next(self, number: int, now_s: float = 0.0) -> Unit | None:
        """The next unit of the lane; None if there is no work.

        A lane whose device failed takes no job from the queue while other devices work. It tests its device when the
        test is due. If the devices of all lanes have failed, lanes take jobs, and the jobs test the devices. A lane
        whose device is suspected of wrong numbers does nothing before it has tested the device.
        """
        lane, failed = self._lanes[number], self._quarantine.failed
        background = self._background[number]
        closed, due_s = number in self._quarantine.closed, self._quarantine.due_s(number)
        if not closed and (number not in failed or len(failed) == len(self._lanes)):
            self._fill(number)
        if (closed or not lane.count + background.count) and due_s is not None and due_s <= now_s:
            return lane.probe()
        if closed:
            return None
        if background.count and (self._is_alone or (self._spare.suffices and not self._background_runs)):
            return background.next()
        return lane.next()

    def probe_due_s(self, lane: int) -> float | None:
        """The time at which the lane's device is to be tested; None if it did not fail."""
        return self._quarantine.due_s(lane)

    @property
    def _is_alone(self) -> bool:
        """Whether there are no other jobs than background jobs."""
        return not any(lane.count for lane in self._lanes) and all(key[0] for key in self._waiting)

    @property
    def _background_runs(self) -> bool:
        return any(lane.unit is not None for lane in self._background)

    def _parts(self, number: int) -> tuple[Lane, Lane]:
        return self._lanes[number], self._background[number]

    def _fill(self, number: int) -> None:
        for key, queue in list(self._waiting.items()):
            lane = (self._background if key[0] else self._lanes)[number]
            while queue and lane.has_room(queue[0]) and self._may_be_in(lane, queue[0]):
                lane.take(queue.popleft())
            if not queue:
                del self._waiting[key]

    def _may_be_in(self, lane: Lane, job: Job) -> bool:
        """Whether the lane may take the job: its model is in the lane already, or in fewer lanes than its limit."""
        having = [each for each in (self._background if job.background else self._lanes) if each.has_model(job.model)]
        return job.lanes is None or lane in having or len(having) < job.lanes

    def probed(self, lane: int, seconds: float) -> list[Job]:
        """Reports that the lane's device passed its test."""
        self._end(lane, seconds)
        self._quarantine.recover(lane)
        return []

    def ran(self, number: int, seconds: float) -> list[Job]:
        """Reports that the batch succeeded, and so that the lane's device works. The pictures continue with steps."""
        lane, batch = self._end(number, seconds)
        assert isinstance(batch, Batch)
        self._quarantine.succeed(number)
        lane.grow(batch)
        for job in batch.jobs:
            job.state = State.stepping
        return _without_dropped(lane, batch)

    def stepped(self, number: int, seconds: float, last: bool) -> list[Job]:
        """Reports that the step succeeded. `last`: it was the last step before a batch, or before the job's end."""
        lane, step = self._end(number, seconds)
        assert isinstance(step, Step)
        step.job.state = State.ready if last else State.stepping
        if last and not step.job.left:
            lane.remove(step.job)
            return [step.job]
        return _without_dropped(lane, step)

    def failed(self, number: int, seconds: float) -> list[Job]:
        """Reports that the unit failed. Bisects a batch of several pictures; gives up a single picture."""
        lane, unit = self._end(number, seconds)
        gone = _without_dropped(lane, unit)
        if isinstance(unit, Batch) and len(unit.ranges) > 1:
            lane.retry_in_halves(Batch(tuple(part for part in unit.ranges if not part.job.dropped), unit.room))
            return gone
        return gone + _given_up(lane, unit)

    def device_failed(self, number: int, seconds: float, now_s: float) -> list[Job]:
        """Reports that the lane's device failed. Gives up the unit's pictures; the device is tested later.

        If the unit was a test, also gives up the other pictures of the lane, whose numbers may be wrong.
        """
        lane, unit = self._end(number, seconds)
        self._quarantine.fail(number, now_s)
        if isinstance(unit, Probe):
            return self.drop_flight(number)
        return _without_dropped(lane, unit) + _given_up(lane, unit)

    def suspect(self, number: int, now_s: float) -> None:
        """The lane's device is suspected of wrong numbers: it is tested before the lane does anything else."""
        self._quarantine.suspect(number, now_s)

    def unexplained(self, number: int, now_s: float) -> None:
        """A unit failed for an unknown reason: the lane's device is suspected after several such units in a row."""
        self._quarantine.unexplained(number, now_s)

    def abandon(self, number: int, now_s: float) -> list[Job]:
        """Gives up all jobs of a lane at once, and the result of its unit. The lane is closed. Returns the jobs."""
        jobs = self.drop_flight(number)
        for lane in self._parts(number):
            lane.unit = None
        self._quarantine.suspect(number, now_s)
        self._quarantine.fail(number, now_s)
        return jobs

    def ran_out_of_memory(self, number: int, seconds: float) -> list[Job]:
        """Reports that the unit ran out of memory. Halves a batch; gives up a single tile or a step."""
        running = next(lane.unit for lane in self._parts(number) if lane.unit is not None)
        if not isinstance(running, Batch) or running.tiles == 1:
            return self.failed(number, seconds)
        lane, batch = self._end(number, seconds)
        assert isinstance(batch, Batch)
        lane.halve(batch)
        return _without_dropped(lane, batch)

    def remove(self, job: Job) -> bool:
        """Removes the job and returns True; if it is in a current unit, returns False and removes it after the unit."""
        if job.state is State.waiting:
            queue = self._waiting[_queue_of(job)]
            queue.remove(job)
            if not queue:
                del self._waiting[_queue_of(job)]
            job.state = State.gone
        elif job.state is not State.gone:
            lanes = self._background if job.background else self._lanes
            if any(lane.unit is not None and job in lane.unit.jobs for lane in lanes):
                job.dropped = True
                return False
            next(lane for lane in lanes if job in lane.jobs).remove(job)
        return True

    def drop_waiting(self) -> list[Job]:
        """Gives up all jobs that no lane has taken, and returns them."""
        jobs = [job for queue in self._waiting.values() for job in queue]
        for job in jobs:
            job.state = State.gone
        self._waiting.clear()
        return jobs

    def drop_flight(self, number: int) -> list[Job]:
        """Gives up all jobs of a lane, and returns them."""
        dropped = []
        for lane in self._parts(number):
            jobs = list(lane.jobs)
            for job in jobs:
                lane.remove(job)
            dropped += jobs
        return dropped

    def _end(self, number: int, seconds: float) -> tuple[Lane, Unit]:
        lane = next(part for part in self._parts(number) if part.unit is not None)
        unit, lane.unit = lane.unit, None
        assert unit is not None
        lane.charge(unit, seconds)
        self._spare.used(seconds, background=lane is self._background[number], alone=self._is_alone)
        return lane, unit


def _queue_of(job: Job) -> tuple[bool, Hashable, int]:
    return job.background, job.model, job.size


def _without_dropped(lane: Lane, unit: Unit) -> list[Job]:
    """Removes the jobs of the unit that were given up while it ran, and returns them."""
    dropped = [job for job in unit.jobs if job.dropped]
    for job in dropped:
        lane.remove(job)
    return dropped


def _given_up(lane: Lane, unit: Unit) -> list[Job]:
    """Removes the unit's jobs, and returns them."""
    jobs = [job for job in unit.jobs if job.state is not State.gone]
    for job in jobs:
        lane.remove(job)
    return jobs
