"""The state that all lanes share, behind one lock: the scheduler, its pictures and the life cycle."""

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import CancelledError
from dataclasses import dataclass
from threading import Condition
from time import monotonic
from typing import Any

import torch

from app.errors import DeviceFailed, EngineStopped, NotFinite, TesseraError
from app.pipeline import is_out_of_memory
from app.scheduling.failure import explained, is_device_failure
from app.scheduling.job import Batch, Job, Probe, Step, Unit
from app.scheduling.life import Life
from app.scheduling.scheduler import Scheduler
from app.scheduling.work import Work

STOPPED = "the server is shutting down; send the picture again, to another server or later"
NO_DEVICE = "no device works: all have failed, and are tested from time to time; send the picture again later"
SHORTEST_WAIT_S = 0.01


@dataclass(frozen=True, slots=True)
class Assignment:
    """A unit, the pictures that take part in it, and how many threads may compute it on a CPU."""

    unit: Unit
    pictures: Mapping[Job, Work[Any]]
    threads: int


@dataclass(frozen=True, slots=True)
class Running:
    """A unit that a lane runs. Two values are the same unit if their numbers are equal.

    number: counts all units
    pixels: the size of the unit; 0: a test of the device
    """

    number: int
    pixels: int


@dataclass(frozen=True, slots=True)
class Ended:
    """A picture whose work has ended."""

    picture: Work[Any]
    error: BaseException | None = None  # None: the picture is done
    in_flight: bool = True  # whether a lane had taken the picture


class Dispatcher:
    """Gives units of work to lanes, and records their results. Every method may be called from any thread.

    `devices` has the device of each lane. `threads` is the number of threads that all CPU lanes share. The caller of a
    method settles the pictures that the method returns, outside of the lock.
    """

    def __init__(self, devices: Sequence[torch.device], threads: int) -> None:
        self._devices, self._threads = devices, threads
        self._scheduler = Scheduler(len(devices))
        self._pictures: dict[Job, Work[Any]] = {}
        self._life = Life.new
        self._changed = Condition()
        self._units = 0
        self._running: dict[int, Running] = {}  # by lane
        self._lost: dict[int, str] = {}
        self._why: dict[int, str] = {}  # the last fault of each lane's device

    @property
    def life(self) -> Life:
        """The current state of the life cycle."""
        return self._life

    @property
    def failed_lanes(self) -> frozenset[int]:
        """The lanes whose device failed and has not worked since."""
        with self._changed:
            return self._scheduler.failed_lanes

    @property
    def is_closed(self) -> bool:
        """Whether pictures are refused, because all devices failed a test."""
        with self._changed:
            return self._scheduler.is_closed

    @property
    def faults(self) -> dict[int, str]:
        """The lanes whose device failed and has not worked since, with their last fault."""
        with self._changed:
            return {lane: self._why[lane] for lane in sorted(self._scheduler.failed_lanes)}

    @property
    def lost(self) -> dict[int, str]:
        """The lanes that were abandoned and have not come back since, with the reason."""
        with self._changed:
            return dict(self._lost)

    @property
    def running(self) -> dict[int, Running]:
        """The unit that each busy lane runs."""
        with self._changed:
            return dict(self._running)

    @property
    def computes(self) -> bool:
        """Whether a lane runs a unit now. Takes no lock, because event loops ask in each turn."""
        return bool(self._running)

    @property
    def in_flight(self) -> int:
        """The number of pictures in flight."""
        with self._changed:
            return self._scheduler.in_flight

    def start(self) -> None:
        """Starts to accept pictures."""
        self._life = Life.running

    def drain(self) -> None:
        """Stops admission. Pictures that already have a ticket may still be added."""
        with self._changed:
            if self._life is Life.running:
                self._life = Life.draining

    def add(self, picture: Work[Any]) -> None:
        """Queues the picture until a lane takes it; raises EngineStopped or DeviceFailed."""
        with self._changed:
            if self._life not in (Life.running, Life.draining):
                raise EngineStopped(STOPPED)
            if self._scheduler.is_closed:
                raise DeviceFailed(NO_DEVICE)
            self._pictures[picture.job] = picture
            self._scheduler.add(picture.job)
            self._changed.notify_all()

    def give_up(self, job: Job) -> list[Ended]:
        """Ends the picture's work: now, or after the current unit if the picture takes part in that unit."""
        with self._changed:
            waiting = job in self._pictures and self._scheduler.is_waiting(job)
            if job not in self._pictures or not self._scheduler.remove(job):
                return []
            return self._ended([job], CancelledError(), in_flight=not waiting)

    def stop(self, *, finish_running: bool) -> list[Ended]:
        """Ends all waiting pictures; without `finish_running`, also pictures in flight, after the current units."""
        with self._changed:
            if self._life is not Life.aborting:
                self._life = Life.stopping if finish_running else Life.aborting
            ended = self._ended(self._scheduler.drop_waiting(), EngineStopped(STOPPED), in_flight=False)
            if self._life is Life.aborting:
                for lane in range(len(self._devices)):
                    ended += self._aborted(lane)
            self._changed.notify_all()
        return ended

    def abandon(self, lane: int, error: DeviceFailed, unit: Running | None = None) -> list[Ended]:
        """Ends the pictures of a lane at once, with this error; the result of its current unit will be ignored.

        The lane is lost until it asks for another unit, and takes no picture before its device has passed a test. If no
        other lane works, also ends the waiting pictures. Has no effect if `unit` is given, and the lane has ended it.
        """
        with self._changed:
            if unit is not None and self._running.get(lane) != unit:
                return []
            self._running.pop(lane, None)
            self._lost[lane] = self._why[lane] = str(error)
            ended = self._ended_by(self._scheduler.abandon(lane, monotonic()), error)
            ended += self._closed()
            self._changed.notify_all()  # other lanes may take the pictures that this lane leaves
        return ended

    def abandon_running(self) -> list[Ended]:
        """Ends the pictures of all busy lanes with EngineStopped, if the worker was stopped."""
        with self._changed:
            ended = []
            for lane in list(self._running):
                del self._running[lane]
                self._why[lane] = STOPPED
                ended += self._ended_by(self._scheduler.abandon(lane, monotonic()), EngineStopped(STOPPED))
        return ended

    def take(self, lane: int) -> Assignment | None:
        """Waits for the lane's next unit; None if there will be no more."""
        with self._changed:
            self._lost.pop(lane, None)
            while self._life is not Life.aborting:
                now_s = monotonic()
                unit = self._scheduler.next(lane, now_s)
                if unit is not None:
                    self._units += 1
                    self._running[lane] = Running(self._units, unit.pixels)
                    return Assignment(unit, {job: self._pictures[job] for job in unit.jobs}, self._share(lane))
                if self._life is Life.stopping:
                    return None
                due_s = self._scheduler.probe_due_s(lane)
                self._changed.wait(None if due_s is None else max(due_s - now_s, SHORTEST_WAIT_S))
        return None

    def report(self, lane: int, unit: Unit, result: bool | Exception, seconds: float) -> list[Ended]:
        """Records a unit's time and its result. Returns the pictures that have ended.

        `result` is an exception, or whether a step was the last one before the next batch or the end. A unit that was
        abandoned has no effect.
        """
        with self._changed:
            if not self._scheduler.runs(lane, unit):
                return []
            self._running.pop(lane, None)
            for job, own_s in unit.time_of_jobs(seconds):
                self._pictures[job].device_s += own_s
            gone = self._advanced(lane, unit, result, seconds)
            error = explained(result, self._devices[lane]) if isinstance(result, Exception) else None
            if error is not None and isinstance(unit, Probe):
                error = DeviceFailed(f"{self._devices[lane]} failed its test: {error}; send the picture again")
            ended = self._ended_by(gone, error)
            ended += self._closed()
            if self._life is Life.aborting:
                ended += self._aborted(lane)
            if self._scheduler.has_background:
                self._changed.notify_all()  # lanes that wait because of other work may have time for it now
        return ended

    def _advanced(self, lane: int, unit: Unit, result: bool | Exception, seconds: float) -> list[Job]:
        """Reports the unit's result to the scheduler. Returns the jobs that have ended with the unit."""
        scheduler = self._scheduler
        if isinstance(result, Exception):
            self._why[lane] = f"{type(result).__name__}: {result}"
            if isinstance(unit, Probe) or is_device_failure(result):
                self._changed.notify_all()  # other lanes may take the pictures that this lane leaves
                return scheduler.device_failed(lane, seconds, monotonic())
            if is_out_of_memory(result):
                return scheduler.ran_out_of_memory(lane, seconds)
            if isinstance(result, NotFinite):
                scheduler.suspect(lane, monotonic())
            elif not isinstance(result, TesseraError):
                scheduler.unexplained(lane, monotonic())
            return scheduler.failed(lane, seconds)
        if isinstance(unit, Batch):
            for part in unit.ranges:
                self._pictures[part.job].ticket.ran(len(part.indices))
            return scheduler.ran(lane, seconds)
        if isinstance(unit, Step):
            return scheduler.stepped(lane, seconds, last=result)
        return scheduler.probed(lane, seconds)

    def _closed(self) -> list[Ended]:
        """Ends the waiting pictures, if all devices failed a test."""
        if not self._scheduler.is_closed:
            return []
        return self._ended(self._scheduler.drop_waiting(), DeviceFailed(NO_DEVICE), in_flight=False)

    def _ended_by(self, jobs: Iterable[Job], error: BaseException | None) -> list[Ended]:
        """Ends jobs that were in flight; those that were given up before, as given up."""
        return [ended for job in jobs for ended in self._ended([job], CancelledError() if job.dropped else error)]

    def _aborted(self, lane: int) -> list[Ended]:
        """Ends the pictures of the lane, unless the lane runs a unit."""
        if self._scheduler.is_busy(lane):
            return []
        return self._ended(self._scheduler.drop_flight(lane), EngineStopped(STOPPED))

    def _ended(self, jobs: Iterable[Job], error: BaseException | None, *, in_flight: bool = True) -> list[Ended]:
        return [Ended(self._pictures.pop(job), error, in_flight) for job in jobs]

    def _share(self, lane: int) -> int:
        """The number of threads for the lane's unit. A CPU's threads are divided among its lanes that have pictures.

        So several pictures finish sooner than one after the other with all threads each. Threads that share a picture
        wait for each other after every layer, and all of them wait if one loses its processor to another process.
        """
        if self._devices[lane].type != "cpu":
            return 1
        busy = sum(
            self._scheduler.is_computing(each) for each, device in enumerate(self._devices) if device.type == "cpu"
        )
        return max(1, self._threads // max(busy, 1))
