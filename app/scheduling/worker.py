"""The device's owner: one thread that runs prepared work in batches of tiles."""

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, replace
from enum import Enum, auto
from threading import Condition, Thread
from time import monotonic
from traceback import clear_frames

import torch
from torch import Tensor

from app.errors import EngineStopped
from app.pipeline import BATCH_TILES, Outcome, TiledModel, is_out_of_memory
from app.pipeline.model import Assembly, completed
from app.scheduling.admission import Admission, Ticket
from app.scheduling.failure import explained, is_device_failure
from app.scheduling.observer import Observer, SilentObserver
from app.scheduling.pace import Pace

STOPPED = "the server is shutting down; send the picture again, to another server or later"


@dataclass(frozen=True, slots=True)
class Done:
    """A picture's outcome, its map on the CPU, and how long it waited and ran."""

    outcome: Outcome
    queue_s: float
    device_s: float


@dataclass(frozen=True, slots=True, eq=False)
class _Work:
    ticket: Ticket
    model: TiledModel
    image: Tensor
    submitted_s: float
    done: Future[Done]


class _State(Enum):
    new = auto()
    running = auto()
    draining = auto()  # takes nothing new
    stopping = auto()  # starts nothing
    aborting = auto()  # nor continues


class DeviceWorker:
    """Takes pictures one after the other and runs their tiles in batches of at most `batch_tiles` (0: by the device).

    `queue_tiles` bounds the tiles waiting or running. The thread lives from `start` to `stop` and is no daemon: whoever
    starts it stops it. Every method may be called from any thread.
    """

    def __init__(
        self,
        device: torch.device,
        *,
        queue_tiles: int,
        batch_tiles: int = 0,
        clock: Callable[[], float] = monotonic,
        observer: Observer | None = None,
    ) -> None:
        self._device, self._clock, self._observer = device, clock, observer or SilentObserver()
        self._batch_tiles = batch_tiles or BATCH_TILES[device.type]
        self._pace = Pace()
        self._admission = Admission(queue_tiles, self._pace, self._observer.queue_changed)
        self._waiting: deque[_Work] = deque()
        self._wake = Condition()
        self._state = _State.new
        self._device_failed = False
        self._thread = Thread(target=self._run, name="tessera-device")

    @property
    def healthy(self) -> bool:
        """Whether work is taken, and the device did not fail at the last one."""
        return self._state is _State.running and self._thread.is_alive() and not self._device_failed

    @property
    def tiles(self) -> int:
        """How many tiles are waiting or running."""
        return self._admission.tiles

    def start(self) -> None:
        """Starts the thread."""
        self._state = _State.running
        self._thread.start()

    def admit(self, tiles: int) -> Ticket:
        """Room for a picture of so many tiles; raises Overloaded at once, or EngineStopped."""
        if self._state is not _State.running:
            raise EngineStopped(STOPPED)
        return self._admission.admit(tiles)

    def submit(self, ticket: Ticket, model: TiledModel, image: Tensor) -> Future[Done]:
        """Puts a decoded picture [C,H,W] into the queue; its ticket may be used once."""
        work = _Work(ticket, model, image, self._clock(), Future())
        with self._wake:
            if self._state not in (_State.running, _State.draining):
                raise EngineStopped(STOPPED)
            self._waiting.append(work)
            self._wake.notify()
        work.done.add_done_callback(self._forget)
        ticket.bind(work.done)  # type: ignore[arg-type]  # Future is invariant, and nothing is written to it here
        return work.done

    def drain(self) -> None:
        """Admits nothing any more; what was admitted goes on."""
        with self._wake:
            if self._state is _State.running:
                self._state = _State.draining

    def stop(self, *, finish_running: bool = True) -> None:
        """Fails what waits with EngineStopped, finishes what runs (or fails it after its batch), ends the thread."""
        with self._wake:
            started = self._state is not _State.new
            if self._state is not _State.aborting:
                self._state = _State.stopping if finish_running else _State.aborting
            left, self._waiting = self._waiting, deque()
            self._wake.notify()
        for work in left:
            if work.done.set_running_or_notify_cancel():
                work.done.set_exception(EngineStopped(STOPPED))
        if started:
            self._thread.join()

    def _forget(self, done: Future[Done]) -> None:
        """Cancelled work gives up its picture at once, not only when its turn comes."""
        if done.cancelled():
            with self._wake:
                self._waiting = deque(work for work in self._waiting if work.done is not done)

    def _run(self) -> None:
        while self._process(self._take()):  # no name is left that would keep a picture while waiting for the next
            pass

    def _take(self) -> _Work | None:
        """The next work that was not cancelled; None when there will be none."""
        while True:
            with self._wake:
                while not self._waiting:
                    if self._state in (_State.stopping, _State.aborting):
                        return None
                    self._wake.wait()
                work = self._waiting.popleft()
            if work.done.set_running_or_notify_cancel():
                return work
            del work

    def _process(self, work: _Work | None) -> bool:
        if work is None:
            return False
        started, done = self._clock(), work.done
        try:
            outcome = self._compute(work)
        except Exception as error:  # whatever it is, it concerns this work only
            del work  # the traceback would keep the picture, and what was made of it
            clear_frames(error.__traceback__)
            self._failed(error)
            done.set_exception(explained(error, self._device, self._batch_tiles))
        else:
            self._device_failed = False
            done.set_result(Done(outcome, started - work.submitted_s, self._clock() - started))
        return True

    def _failed(self, error: Exception) -> None:
        if is_device_failure(error):
            self._device_failed = True
        if is_out_of_memory(error) and self._device.type == "cuda":
            torch.cuda.empty_cache()

    def _compute(self, work: _Work) -> Outcome:
        """The outcome of a picture; batches of tiles of several pictures would be formed here."""
        model = work.model
        prepared = model.prepare(work.image)
        assembly = Assembly(model, prepared)
        for first in range(0, prepared.plan.count, self._batch_tiles):
            self._require_wanted(work)
            started = self._clock()
            indices = range(first, min(first + self._batch_tiles, prepared.plan.count))
            for _ in assembly.add(model.run(model.cut(prepared, indices))):
                pass
            self._measured(len(indices), started)
        started = self._clock()
        outcome = completed(assembly.finish())
        outcome = replace(outcome, anomaly_map=outcome.anomaly_map.cpu())
        self._measured(0, started)
        return outcome

    def _require_wanted(self, work: _Work) -> None:
        if work.ticket.abandoned or self._state is _State.aborting:
            raise EngineStopped(STOPPED)

    def _measured(self, tiles: int, started: float) -> None:
        seconds = self._clock() - started
        self._pace.add(tiles, seconds)
        if tiles:
            self._observer.batch_done(tiles, seconds)
