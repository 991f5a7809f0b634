"""The lanes: threads that own the devices and run the units of work that the scheduler chooses."""

import logging
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Sequence
from concurrent.futures import CancelledError, Future
from threading import Thread
from time import monotonic
from traceback import clear_frames
from typing import TypeVar

import torch
from torch import Tensor

from app.admission import Ticket, TileQueue
from app.errors import DeviceFailed, EngineStopped, NotFinite
from app.pipeline import Roi, TiledModel, is_out_of_memory, use_processors
from app.scheduling.dispatcher import NO_DEVICE, STOPPED, Assignment, Dispatcher, Ended, Running
from app.scheduling.execution import Execution, no_golden_sample, untested
from app.scheduling.health import Health
from app.scheduling.job import Batch, Job, Step
from app.scheduling.life import Life
from app.scheduling.observer import End, Observer, SilentObserver
from app.scheduling.picture import Done, Picture
from app.scheduling.work import Finished, Work
from app.tiling import TilePlan

STUCK_AFTER_S = 120.0
"""The default time after which a unit of up to a megapixel counts as stuck."""

R = TypeVar("R")

_log = logging.getLogger(__name__)


class DeviceWorker:
    """Runs the tiles of all pictures in shared batches, on one or several devices; a picture stays in one lane.

    Bands of pictures that do not fit into memory are work like pictures. As background work, they run while there is
    nothing else to do, and otherwise with a small share of the time, see SpareTime.

    A GPU is one lane; a CPU has `cpu_lanes`, which share its processors and its model. `queue` limits the tiles
    that wait or run. `test_device` gets the number of a device, and raises if the device does not compute correctly. A
    failed device must pass this test before it takes work again, unless all devices have failed. `test_model` gets the
    model whose work failed last, and raises if it does not compute correctly: a device that may compute wrong numbers
    takes no work before both tests have passed. `stuck_after_s` is the time that a unit of up to a megapixel may take.
    The threads live from `start` to `stop`. Every method may be called from any thread.
    """

    def __init__(
        self,
        devices: Sequence[torch.device],
        *,
        queue: TileQueue[Job],
        cpu_lanes: int = 1,
        clock: Callable[[], float] = monotonic,
        observer: Observer | None = None,
        test_device: Callable[[int], object] = untested,
        test_model: Callable[[TiledModel], object] = no_golden_sample,
        stuck_after_s: float = STUCK_AFTER_S,
    ) -> None:
        self._clock, self._observer = clock, observer or SilentObserver()
        self._test_device, self._test_model = test_device, test_model
        self._queue = queue
        queue.changed = self._observer.queue_changed
        self._lanes = [  # the device of each lane, and the device's number
            (device, number)
            for number, device in enumerate(devices)
            for _ in range(cpu_lanes if device.type == "cpu" else 1)
        ]
        self._dispatcher = Dispatcher([device for device, _ in self._lanes], torch.get_num_threads())
        self._threads = [
            Thread(target=self._own, args=(lane,), name=f"tessera-{device}-{lane}", daemon=True)
            for lane, (device, _) in enumerate(self._lanes)
        ]
        owned = [device for device, _ in self._lanes]
        self._on_cpu = any(device.type == "cpu" for device in owned)
        self.health = Health(self._dispatcher, self._threads, owned, stuck_after_s, self._abandon)

    @property
    def healthy(self) -> bool:
        """Whether the worker accepts pictures, at least one device works, and no fault is fatal."""
        return self.health.healthy

    @property
    def devices(self) -> dict[str, bool]:
        """Whether each device works: false from a failure until it passed a test or ran a batch."""
        return self.health.working

    @property
    def lanes(self) -> dict[str, int]:
        """The number of lanes of each device."""
        return dict(Counter(str(device) for device, _ in self._lanes))

    @property
    def tiles(self) -> int:
        """The number of tiles that wait or run."""
        return self._queue.tiles

    def needs_interpreter(self) -> bool:
        """Whether a lane runs a unit now whose operations take the interpreter again and again: one on a CPU."""
        return self._on_cpu and self._dispatcher.computes

    def start(self) -> None:
        """Starts the threads."""
        self._dispatcher.start()
        for thread in self._threads:
            thread.start()
        self.health.start()

    def admit(
        self,
        tiles: int,
        *,
        key: Hashable = None,
        tile_s: float | None = None,
        limit_s: float | None = None,
        partial: bool = False,
    ) -> Ticket[Job]:
        """A ticket for this number of tiles; raises at once Overloaded, EngineStopped or DeviceFailed. See TileQueue.

        Leaving the ticket's `with` block gives up the picture that was submitted with it. There is no other way to give
        it up.
        """
        self._require_running()
        return self._queue.admit(tiles, self._give_up, key=key, tile_s=tile_s, limit_s=limit_s, partial=partial)

    def submit(
        self,
        ticket: Ticket[Job],
        models: Sequence[TiledModel],
        image: Tensor,
        roi: Roi | None = None,
        plan: TilePlan | None = None,
    ) -> Future[Done]:
        """Puts a picture [C,H,W], or a region of it, into the queue. To be called once per ticket.

        `models` holds the picture's model on each device. `plan` is the model's plan for the picture, if it was made
        already. The future raises CancelledError if the picture was given up, and EngineStopped if the worker was
        stopped. Raises EngineStopped or DeviceFailed.
        """
        return self.run(Picture(ticket, models, image, roi, plan))

    def admit_band(self) -> Ticket[Job]:
        """A ticket for a band, which takes no room in the queue; otherwise see `admit`."""
        self._require_running()
        return self._queue.band(self._give_up)

    def run(self, work: Work[R]) -> Future[Finished[R]]:
        """Puts work of any kind into the queue. To be called once per ticket; see `submit`."""
        self._dispatcher.add(work)
        work.ticket.job = work.job
        return work.done

    def ran_elsewhere(self, ticket: Ticket[Job], tiles: int) -> None:
        """Counts tiles of an admitted picture that other engines have run, for the rate of the queue."""
        ticket.ran(tiles)
        self._queue.measure(tiles)

    def ended_elsewhere(self, how: End) -> None:
        """Counts an admitted picture that was not submitted, because other engines ran its tiles."""
        self._observer.picture_ended(how)

    def _require_running(self) -> None:
        if self._dispatcher.life is not Life.running:
            raise EngineStopped(STOPPED)
        if self._dispatcher.is_closed:
            raise DeviceFailed(NO_DEVICE)

    def drain(self) -> None:
        """Stops admission. Admitted pictures continue."""
        self._dispatcher.drain()

    def stop(self, *, finish_running: bool = True, wait_s: float | None = None) -> None:
        """Fails waiting pictures with EngineStopped, and ends the threads.

        Finishes the pictures in flight; without `finish_running`, fails them after the current unit. Waits for at most
        `wait_s` (None: until the threads end), and then fails the pictures of lanes that still run a unit.
        """
        self.health.stop()
        self._settle(self._dispatcher.stop(finish_running=finish_running))
        end_s = None if wait_s is None else monotonic() + wait_s
        for thread in self._threads:
            if thread.ident is not None:  # else it was never started
                thread.join(None if end_s is None else max(0.0, end_s - monotonic()))
        self._settle(self._dispatcher.abandon_running())

    def _own(self, lane: int) -> None:
        execution = Execution(self._lanes[lane][1], self._test_device, self._test_model)
        try:
            while self._step(lane, execution):  # waits in a call of its own, so that no variable keeps a picture
                pass
        except BaseException as error:  # no fault of a picture: attempt() returns those
            _log.critical("the thread of %s has ended", self._lanes[lane][0], exc_info=error)
            self.health.died(lane, error)

    def _abandon(self, lane: int, error: DeviceFailed, unit: Running | None) -> None:
        """Ends the pictures of a lane that is stuck in a unit, or whose thread has ended."""
        ended = self._dispatcher.abandon(lane, error, unit)
        if unit is not None and lane in self._dispatcher.lost:
            _log.error("%s (lane %d)", error, lane)
        self._settle(ended)

    def _step(self, lane: int, execution: Execution) -> bool:
        """Takes a unit, runs it, reports it, and settles the pictures that end with it; False if there is none."""
        assigned = self._dispatcher.take(lane)
        if assigned is None:
            return False
        use_processors(assigned.threads)
        self._observer.flight_changed(self._dispatcher.in_flight)
        started_s = self._clock()
        result = execution.attempt(assigned.unit, assigned.pictures)
        seconds = self._clock() - started_s
        if isinstance(result, NotFinite):
            self._observer.not_finite(str(self._lanes[lane][0]))
        if isinstance(result, Exception):
            self._after_failure(lane, result)
        failed = self._dispatcher.failed_lanes
        ended = self._dispatcher.report(lane, assigned.unit, result, seconds)
        self._log_device(lane, failed, result)
        self._observe(lane, assigned, result, seconds)
        self._settle(ended)
        del assigned, ended  # an error's traceback keeps this frame, which must not keep the pictures
        return True

    def _after_failure(self, lane: int, error: Exception) -> None:
        clear_frames(error.__traceback__)  # frees the pictures and features that its frames refer to
        if is_out_of_memory(error) and self._lanes[lane][0].type == "cuda":
            torch.cuda.empty_cache()

    def _log_device(self, lane: int, failed_before: frozenset[int], result: bool | Exception) -> None:
        """Logs if the lane's device failed, or works again, after the unit that was reported."""
        failed = lane in self._dispatcher.failed_lanes
        if failed == (lane in failed_before):
            return
        device = self._lanes[lane][0]
        if failed:
            _log.error("device %s failed, and takes no picture until it passes a test: %s", device, result)
        else:
            _log.info("device %s works again", device)

    def _observe(self, lane: int, assigned: Assignment, result: bool | Exception, seconds: float) -> None:
        unit, device = assigned.unit, str(self._lanes[lane][0])
        failed = isinstance(result, Exception)
        queued = 0 if failed else _queued_tiles(assigned)
        self._queue.measure(queued)
        if isinstance(unit, Step):
            self._observer.step_done(device, seconds)
        elif isinstance(unit, Batch) and failed:
            self._observer.batch_failed(device, unit.tiles, seconds)
        elif isinstance(unit, Batch):
            self._observer.batch_done(device, unit.tiles, unit.room, seconds)
        self._observer.flight_changed(self._dispatcher.in_flight)

    def _give_up(self, ticket: Ticket[Job]) -> None:
        """Releases a ticket whose `with` block was left, or gives up its picture."""
        if ticket.job is None:
            self._queue.release(ticket)
        else:
            self._settle(self._dispatcher.give_up(ticket.job))

    def _settle(self, ended: Iterable[Ended]) -> None:
        """Releases the pictures' room and resolves their futures."""
        for each in ended:
            picture, error = each.picture, each.error
            self._queue.release(picture.ticket)
            if each.in_flight and picture.is_picture:
                unwanted = isinstance(error, CancelledError | EngineStopped)
                self._observer.picture_ended("done" if error is None else "dropped" if unwanted else "failed")
            if error is None:
                picture.done.set_result(picture.result())
            else:
                picture.done.set_exception(error)


def _queued_tiles(assigned: Assignment) -> int:
    """The tiles of a batch that took room in the queue: those of pictures, and not those of bands."""
    if not isinstance(assigned.unit, Batch):
        return 0
    parts = assigned.unit.ranges
    return sum(len(part.indices) for part in parts if assigned.pictures[part.job].ticket.tiles)
