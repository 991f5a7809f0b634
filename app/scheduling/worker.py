"""The devices' owners: a thread for each, which do what the scheduler decides."""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from functools import partial
from threading import Condition, Thread
from time import monotonic
from traceback import clear_frames

import torch
from torch import Tensor

from app.errors import EngineStopped
from app.pipeline import Roi, TiledModel, is_out_of_memory, use_processors
from app.scheduling.admission import Admission, Ticket
from app.scheduling.execution import Execution
from app.scheduling.failure import explained, is_device_failure
from app.scheduling.job import Batch, Job, State, Unit
from app.scheduling.life import Life
from app.scheduling.observer import Observer, SilentObserver
from app.scheduling.picture import Done, Picture
from app.scheduling.scheduler import Scheduler

STOPPED = "the server is shutting down; send the picture again, to another server or later"


class DeviceWorker:
    """Runs the tiles of all pictures in shared batches, on one or several devices; a picture stays on one.

    A GPU has one owner, and a CPU `cpu_lanes`, which share its processors and its model. `queue_tiles` bounds the tiles
    waiting or running. The threads live from `start` to `stop` and are no daemons: whoever starts them stops them.
    Every method may be called from any thread.
    """

    def __init__(
        self,
        devices: Sequence[torch.device],
        *,
        queue_tiles: int,
        cpu_lanes: int = 1,
        clock: Callable[[], float] = monotonic,
        observer: Observer | None = None,
    ) -> None:
        self._clock, self._observer = clock, observer or SilentObserver()
        self._admission = Admission(queue_tiles, clock, self._observer.queue_changed)
        self._lanes = [  # device and its number, by the number of the lane
            (device, number)
            for number, device in enumerate(devices)
            for _ in range(cpu_lanes if device.type == "cpu" else 1)
        ]
        self._scheduler = Scheduler(len(self._lanes))
        self._pictures: dict[Job, Picture] = {}
        self._wake = Condition()  # for the scheduler, the pictures and what follows
        self._life = Life.new
        self._failed: set[int] = set()
        self._processors = torch.get_num_threads()
        self._threads = [
            Thread(target=self._own, args=(lane,), name=f"tessera-{device}-{lane}")
            for lane, (device, _) in enumerate(self._lanes)
        ]

    @property
    def healthy(self) -> bool:
        """Whether work is taken, and no device failed at its last."""
        alive = all(thread.is_alive() for thread in self._threads)
        return self._life is Life.running and alive and not self._failed

    @property
    def tiles(self) -> int:
        """How many tiles are waiting or running."""
        return self._admission.tiles

    def start(self) -> None:
        """Starts the threads."""
        self._life = Life.running
        for thread in self._threads:
            thread.start()

    def admit(self, tiles: int) -> Ticket:
        """Room for a picture of so many tiles; raises Overloaded at once, or EngineStopped."""
        if self._life is not Life.running:
            raise EngineStopped(STOPPED)
        return self._admission.admit(tiles)

    def submit(
        self, ticket: Ticket, models: Sequence[TiledModel], image: Tensor, roi: Roi | None = None
    ) -> Future[Done]:
        """Puts a picture [C,H,W], or a region of it, into the queue, with its model on each device, once a ticket."""
        picture = Picture(ticket, models, image, roi)
        job, done = picture.job, picture.done
        with self._wake:
            if self._life not in (Life.running, Life.draining):
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
            if self._life is Life.running:
                self._life = Life.draining

    def stop(self, *, finish_running: bool = True) -> None:
        """Fails what waits with EngineStopped, finishes what runs (or fails it after its unit), ends the threads."""
        with self._wake:
            started = self._life is not Life.new
            if self._life is not Life.aborting:
                self._life = Life.stopping if finish_running else Life.aborting
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

    def _own(self, lane: int) -> None:
        execution = Execution(self._lanes[lane][1])
        while self._turn(lane, execution):  # no name is left that would keep a picture while waiting for the next
            pass

    def _turn(self, lane: int, execution: Execution) -> bool:
        """Waits for a unit and does it; False once there will be none."""
        unit = self._next(lane)
        if unit is None:
            return False
        use_processors(self._share(lane))
        started = self._clock()
        # Another thread may remove pictures meanwhile, but not those of this unit.
        result = execution.attempt(unit, {job: self._pictures[job] for job in unit.jobs})
        if isinstance(result, Exception):
            clear_frames(result.__traceback__)  # they would keep the pictures, and what was made of them
        self._ended(lane, unit, result, self._clock() - started)
        return True

    def _next(self, lane: int) -> Unit | None:
        while True:
            with self._wake:
                if self._life is Life.aborting:
                    aborted = self._taken(self._scheduler.drop_flight(lane))
                    break
                unit = self._scheduler.next(lane)
                if unit is not None:
                    if isinstance(unit, Batch) or self._pictures[unit.job].begin():
                        self._observer.flight_changed(self._scheduler.in_flight)
                        return unit
                    self._scheduler.failed(lane, 0.0)  # it was cancelled this very moment
                elif self._life is Life.stopping:
                    return None
                else:
                    self._wake.wait()
        self._end_dropped(aborted)
        return None

    def _share(self, lane: int) -> int:
        """How many processors compute the lane's unit: those of a CPU are divided among the lanes that have pictures.

        Several pictures side by side are done sooner so than one after the other by all processors: these would wait
        for each other after every layer, and all of them for one that the machine gave to another process.
        """
        if self._lanes[lane][0].type != "cpu":
            return 1
        with self._wake:
            busy = sum(
                self._scheduler.has_jobs(each) for each, (device, _) in enumerate(self._lanes) if device.type == "cpu"
            )
        return max(1, self._processors // busy)

    def _ended(self, lane: int, unit: Unit, result: bool | Exception, seconds: float) -> None:
        with self._wake:
            for job, own_s in unit.time_of_jobs(seconds):
                self._pictures[job].device_s += own_s
            if isinstance(result, Exception):
                gone = self._failed_at(lane, result, seconds)
            elif isinstance(unit, Batch):
                self._recovered(lane)
                self._count(unit)
                gone = self._scheduler.ran(lane, seconds)
            else:
                gone = self._scheduler.stepped(lane, seconds, last=result)
            ended = [(job, self._pictures.pop(job)) for job in gone]
            self._observer.flight_changed(self._scheduler.in_flight)
        self._tell(unit, result, seconds)
        for job, picture in ended:
            self._resolve(lane, picture, job.dropped, result)

    def _failed_at(self, lane: int, error: Exception, seconds: float) -> list[Job]:
        if is_out_of_memory(error):
            if self._lanes[lane][0].type == "cuda":
                torch.cuda.empty_cache()
            return self._scheduler.ran_out_of_memory(lane, seconds)
        broken = is_device_failure(error)
        if broken:
            self._failed.add(lane)
            self._scheduler.suspend(lane, True)
        return self._scheduler.failed(lane, seconds, by_picture=not broken)

    def _recovered(self, lane: int) -> None:
        if lane in self._failed:
            self._failed.remove(lane)
            self._scheduler.suspend(lane, False)

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

    def _resolve(self, lane: int, picture: Picture, dropped: bool, result: bool | Exception) -> None:
        if dropped:
            self._end_dropped([picture])
        elif isinstance(result, Exception):
            self._observer.picture_ended("failed")
            picture.done.set_exception(explained(result, self._lanes[lane][0]))
        else:
            self._observer.picture_ended("done")
            picture.done.set_result(picture.result())

    def _end_dropped(self, pictures: Iterable[Picture]) -> None:
        for picture in pictures:
            if picture.begin():
                self._observer.picture_ended("dropped")
                picture.done.set_exception(EngineStopped(STOPPED))
