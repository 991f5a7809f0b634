"""The devices' owners: a thread for each, which do what the scheduler decides."""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from enum import Enum, auto
from functools import partial
from threading import Condition, Thread
from time import monotonic
from traceback import clear_frames

import torch
from torch import Tensor

from app.errors import EngineStopped
from app.pipeline import TiledModel, is_out_of_memory, use_processors
from app.scheduling.admission import Admission, Ticket
from app.scheduling.execution import Execution
from app.scheduling.failure import explained, is_device_failure
from app.scheduling.job import Batch, Job, State, Unit
from app.scheduling.observer import Observer, SilentObserver
from app.scheduling.picture import Done, Picture
from app.scheduling.scheduler import Scheduler

STOPPED = "the server is shutting down; send the picture again, to another server or later"


class _Life(Enum):
    new = auto()
    running = auto()
    draining = auto()  # takes nothing new
    stopping = auto()  # starts nothing
    aborting = auto()  # nor continues


class DeviceWorker:
    """Runs the tiles of all pictures in shared batches, on one or several devices; a picture stays on one.

    `queue_tiles` bounds the tiles waiting or running. The threads live from `start` to `stop` and are no daemons:
    whoever starts them stops them. Every method may be called from any thread.
    """

    def __init__(
        self,
        devices: Sequence[torch.device],
        *,
        queue_tiles: int,
        clock: Callable[[], float] = monotonic,
        observer: Observer | None = None,
    ) -> None:
        self._devices, self._clock, self._observer = devices, clock, observer or SilentObserver()
        self._admission = Admission(queue_tiles, clock, self._observer.queue_changed)
        self._scheduler = Scheduler(len(devices))
        self._pictures: dict[Job, Picture] = {}
        self._wake = Condition()  # for the scheduler, the pictures and what follows
        self._life = _Life.new
        self._failed: set[int] = set()
        processors = max(1, torch.get_num_threads() // max(1, sum(device.type == "cpu" for device in devices)))
        self._threads = [
            Thread(target=self._own, args=(number, processors if device.type == "cpu" else 1), name=f"tessera-{device}")
            for number, device in enumerate(devices)
        ]

    @property
    def healthy(self) -> bool:
        """Whether work is taken, and no device failed at its last."""
        alive = all(thread.is_alive() for thread in self._threads)
        return self._life is _Life.running and alive and not self._failed

    @property
    def tiles(self) -> int:
        """How many tiles are waiting or running."""
        return self._admission.tiles

    def start(self) -> None:
        """Starts the threads."""
        self._life = _Life.running
        for thread in self._threads:
            thread.start()

    def admit(self, tiles: int) -> Ticket:
        """Room for a picture of so many tiles; raises Overloaded at once, or EngineStopped."""
        if self._life is not _Life.running:
            raise EngineStopped(STOPPED)
        return self._admission.admit(tiles)

    def submit(self, ticket: Ticket, models: Sequence[TiledModel], image: Tensor) -> Future[Done]:
        """Puts a decoded picture [C,H,W] into the queue, with its model on each device; a ticket may be used once."""
        picture = Picture(ticket, models, image)
        job, done = picture.job, picture.done
        with self._wake:
            if self._life not in (_Life.running, _Life.draining):
                raise EngineStopped(STOPPED)
            self._pictures[job] = picture
            self._scheduler.add(job)
            self._wake.notify_all()
        done.add_done_callback(partial(self._forget, job))
        ticket.bind(done, partial(self._drop, job, done))  # type: ignore[arg-type]  # Future is invariant; it is only read
        return done

    def drain(self) -> None:
        """Admits nothing any more; what was admitted goes on."""
        with self._wake:
            if self._life is _Life.running:
                self._life = _Life.draining

    def stop(self, *, finish_running: bool = True) -> None:
        """Fails what waits with EngineStopped, finishes what runs (or fails it after its unit), ends the threads."""
        with self._wake:
            started = self._life is not _Life.new
            if self._life is not _Life.aborting:
                self._life = _Life.stopping if finish_running else _Life.aborting
            waiting = self._taken(self._scheduler.drop_waiting())
            self._wake.notify_all()
        for picture in waiting:
            if picture.begin():
                picture.done.set_exception(EngineStopped(STOPPED))
        for thread in self._threads if started else ():
            thread.join()

    def _forget(self, job: Job, done: Future[Done]) -> None:
        """Cancelled work gives up its picture at once, not only when its turn comes."""
        if done.cancelled():
            with self._wake:
                self._scheduler.remove(job)
                self._pictures.pop(job, None)

    def _drop(self, job: Job, done: Future[Done]) -> None:
        """Nobody waits for the picture any more."""
        if done.cancel():
            return
        with self._wake:
            left = self._taken([job]) if job.state is not State.gone and self._scheduler.remove(job) else []
        self._end_dropped(left)

    def _taken(self, jobs: Iterable[Job]) -> list[Picture]:
        return [self._pictures.pop(job) for job in jobs]

    def _own(self, device: int, processors: int) -> None:
        use_processors(processors)
        execution = Execution(device)
        while self._turn(device, execution):  # no name is left that would keep a picture while waiting for the next
            pass

    def _turn(self, device: int, execution: Execution) -> bool:
        """Waits for a unit and does it; False once there will be none."""
        unit = self._next(device)
        if unit is None:
            return False
        started = self._clock()
        # Another thread may remove pictures meanwhile, but not those of this unit.
        result = execution.attempt(unit, {job: self._pictures[job] for job in unit.jobs})
        if isinstance(result, Exception):
            clear_frames(result.__traceback__)  # they would keep the pictures, and what was made of them
        self._ended(device, unit, result, self._clock() - started)
        return True

    def _next(self, device: int) -> Unit | None:
        while True:
            with self._wake:
                if self._life is _Life.aborting:
                    aborted = self._taken(self._scheduler.drop_flight(device))
                    break
                unit = self._scheduler.next(device)
                if unit is not None:
                    if isinstance(unit, Batch) or self._pictures[unit.job].begin():
                        self._observer.flight_changed(self._scheduler.in_flight)
                        return unit
                    self._scheduler.failed(device, 0.0)  # it was cancelled this very moment
                elif self._life is _Life.stopping:
                    return None
                else:
                    self._wake.wait()
        self._end_dropped(aborted)
        return None

    def _ended(self, device: int, unit: Unit, result: bool | Exception, seconds: float) -> None:
        with self._wake:
            for job, own_s in unit.time_of_jobs(seconds):
                self._pictures[job].device_s += own_s
            if isinstance(result, Exception):
                gone = self._failed_at(device, result, seconds)
            elif isinstance(unit, Batch):
                self._recovered(device)
                self._count(unit)
                gone = self._scheduler.ran(device, seconds)
            else:
                gone = self._scheduler.stepped(device, seconds, last=result)
            ended = [(job, self._pictures.pop(job)) for job in gone]
            self._observer.flight_changed(self._scheduler.in_flight)
        self._tell(unit, result, seconds)
        for job, picture in ended:
            self._resolve(device, picture, job.dropped, result)

    def _failed_at(self, device: int, error: Exception, seconds: float) -> list[Job]:
        if is_out_of_memory(error):
            if self._devices[device].type == "cuda":
                torch.cuda.empty_cache()
            return self._scheduler.ran_out_of_memory(device, seconds)
        broken = is_device_failure(error)
        if broken:
            self._failed.add(device)
            self._scheduler.suspend(device, True)
        return self._scheduler.failed(device, seconds, by_picture=not broken)

    def _recovered(self, device: int) -> None:
        if device in self._failed:
            self._failed.remove(device)
            self._scheduler.suspend(device, False)

    def _count(self, batch: Batch) -> None:
        for share in batch.shares:
            self._pictures[share.job].ticket.left -= len(share.indices)

    def _tell(self, unit: Unit, result: bool | Exception, seconds: float) -> None:
        failed = isinstance(result, Exception)
        self._admission.ran(0 if failed or not isinstance(unit, Batch) else unit.tiles)
        if not isinstance(unit, Batch):
            self._observer.step_done(seconds)
        elif failed:
            self._observer.batch_failed(unit.tiles, seconds)
        else:
            self._observer.batch_done(unit.tiles, unit.room, seconds)

    def _resolve(self, device: int, picture: Picture, dropped: bool, result: bool | Exception) -> None:
        if dropped:
            self._end_dropped([picture])
        elif isinstance(result, Exception):
            self._observer.picture_ended("failed")
            picture.done.set_exception(explained(result, self._devices[device]))
        else:
            self._observer.picture_ended("done")
            picture.done.set_result(picture.result())

    def _end_dropped(self, pictures: Iterable[Picture]) -> None:
        for picture in pictures:
            if picture.begin():
                self._observer.picture_ended("dropped")
                picture.done.set_exception(EngineStopped(STOPPED))
