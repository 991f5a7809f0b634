import gc
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Future
from contextlib import contextmanager
from itertools import count
from threading import Event

import pytest
import torch
from torch import Tensor

from app.errors import EngineStopped, InsufficientMemory, Overloaded
from app.pipeline import TiledModel, predict
from app.scheduling import DeviceWorker, Done

WAIT_S = 20
IMAGE = (torch.arange(3 * 96 * 160) % 251).to(torch.uint8).reshape(3, 96, 160)  # 2 x 4 tiles
TILES = 8


class Recorder:
    def __init__(self) -> None:
        self.queue: list[int] = []
        self.batches: list[tuple[int, float]] = []

    def queue_changed(self, tiles: int) -> None:
        self.queue.append(tiles)

    def batch_done(self, tiles: int, seconds: float) -> None:
        self.batches.append((tiles, seconds))


@contextmanager
def running(
    *, queue_tiles: int = 64, batch_tiles: int = 3, clock: Callable[[], float] | None = None
) -> Iterator[tuple[DeviceWorker, Recorder]]:
    observer = Recorder()
    worker = DeviceWorker(
        torch.device("cpu"),
        queue_tiles=queue_tiles,
        batch_tiles=batch_tiles,
        clock=clock or (lambda: 0.0),
        observer=observer,
    )
    worker.start()
    try:
        yield worker, observer
    finally:
        worker.stop()


class Gate:
    """Lets the backbone run only once it is opened."""

    def __init__(self, model: TiledModel) -> None:
        self.reached, self._open = Event(), Event()
        model.detector.backbone.register_forward_pre_hook(self._wait)

    def _wait(self, *_: object) -> None:
        self.reached.set()
        assert self._open.wait(WAIT_S)

    def open(self) -> None:
        self._open.set()


def fail_once(model: TiledModel, error: Exception) -> None:
    def fail(*_: object) -> None:
        hook.remove()
        raise error

    hook = model.detector.backbone.register_forward_pre_hook(fail)


def submit(worker: DeviceWorker, model: TiledModel, image: Tensor = IMAGE) -> Future[Done]:
    return worker.submit(worker.admit(TILES), model, image)


@pytest.mark.parametrize("batch_tiles", [1, 3, 8, 32])
def test_outcome_equals_the_straight_line(tiny_model: TiledModel, batch_tiles: int) -> None:
    expected = predict(tiny_model, IMAGE, batch_tiles)
    with running(batch_tiles=batch_tiles) as (worker, _):
        outcome = submit(worker, tiny_model).result(WAIT_S).outcome
    assert outcome.raw_score == expected.raw_score
    assert torch.equal(outcome.anomaly_map, expected.anomaly_map)


def test_batches_are_bounded_and_the_queue_is_told(tiny_model: TiledModel) -> None:
    with running(batch_tiles=3) as (worker, observer):
        submit(worker, tiny_model).result(WAIT_S)
    assert [tiles for tiles, _ in observer.batches] == [3, 3, 2]
    assert observer.queue == [TILES, 0]


def test_time_is_told_by_the_clock_that_came_in(tiny_model: TiledModel) -> None:
    ticks = count()
    with running(batch_tiles=8, clock=lambda: float(next(ticks))) as (worker, observer):
        done = submit(worker, tiny_model).result(WAIT_S)
    # read: submitted 0, taken 1, batch 2 to 3, map 4 to 5, done 6
    assert (done.queue_s, done.device_s) == (1.0, 5.0)
    assert observer.batches == [(8, 1.0)]


def test_a_failing_picture_fails_alone(tiny_model: TiledModel) -> None:
    fail_once(tiny_model, ValueError("broken"))
    with running() as (worker, _):
        failing, fine = submit(worker, tiny_model), submit(worker, tiny_model)
        with pytest.raises(ValueError, match="broken"):
            failing.result(WAIT_S)
        assert fine.result(WAIT_S).outcome.raw_score >= 0
        assert worker.healthy
    assert worker.tiles == 0


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory"),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 99 bytes"),
        MemoryError(),
    ],
)
def test_lack_of_memory_says_what_helps_and_is_not_the_devices_fault(tiny_model: TiledModel, error: Exception) -> None:
    fail_once(tiny_model, error)
    with running(batch_tiles=4) as (worker, _):
        with pytest.raises(InsufficientMemory, match=r"smaller one.*fewer than 4 tiles a batch"):
            submit(worker, tiny_model).result(WAIT_S)
        assert worker.healthy
        submit(worker, tiny_model).result(WAIT_S)


def test_a_device_failure_makes_it_unhealthy_until_work_succeeds(tiny_model: TiledModel) -> None:
    fail_once(tiny_model, torch.AcceleratorError("CUDA error: an illegal memory access was encountered", 700))
    with running() as (worker, _):
        with pytest.raises(torch.AcceleratorError):
            submit(worker, tiny_model).result(WAIT_S)
        assert not worker.healthy
        submit(worker, tiny_model).result(WAIT_S)
        assert worker.healthy


def test_a_failed_picture_is_not_kept_in_memory(tiny_model: TiledModel) -> None:
    image = IMAGE.clone()
    gone = weakref.ref(image)
    fail_once(tiny_model, ValueError("broken"))
    with running() as (worker, _):
        failing = submit(worker, tiny_model, image)
        del image
        failing.exception(WAIT_S)
        submit(worker, tiny_model).result(WAIT_S)
        gc.collect()
        assert gone() is None


def test_an_idle_worker_holds_no_picture(tiny_model: TiledModel) -> None:
    image = IMAGE.clone()
    gone = weakref.ref(image)
    with running() as (worker, _):
        done = submit(worker, tiny_model, image)
        del image
        done.result(WAIT_S)
        del done
        worker.stop()
        gc.collect()
        assert gone() is None


def test_cancelled_work_gives_up_its_room_and_its_picture_at_once(tiny_model: TiledModel) -> None:
    gate = Gate(tiny_model)
    image = IMAGE.clone()
    gone = weakref.ref(image)
    with running(queue_tiles=2 * TILES) as (worker, _):
        first = submit(worker, tiny_model)
        assert gate.reached.wait(WAIT_S)
        waiting = submit(worker, tiny_model, image)
        with pytest.raises(Overloaded):
            worker.admit(1)
        waiting.cancel()
        del image
        gc.collect()
        assert worker.tiles == TILES
        assert gone() is None
        gate.open()
        first.result(WAIT_S)
    with pytest.raises(CancelledError):
        waiting.result(0)


def test_leaving_the_ticket_ends_running_work_with_its_batch(tiny_model: TiledModel) -> None:
    gate = Gate(tiny_model)
    with running(batch_tiles=3) as (worker, observer):
        with worker.admit(TILES) as ticket:
            abandoned = worker.submit(ticket, tiny_model, IMAGE)
            assert gate.reached.wait(WAIT_S)
        assert worker.tiles == TILES  # a batch is running
        gate.open()
        with pytest.raises(EngineStopped):
            abandoned.result(WAIT_S)
    assert worker.tiles == 0
    assert [tiles for tiles, _ in observer.batches] == [3]


def test_stop_finishes_what_runs_and_fails_what_waits(tiny_model: TiledModel) -> None:
    gate = Gate(tiny_model)
    with running() as (worker, _):
        first = submit(worker, tiny_model)
        assert gate.reached.wait(WAIT_S)
        second = submit(worker, tiny_model)
        second.add_done_callback(lambda _: gate.open())
        worker.stop()
        assert first.result(0).outcome.raw_score >= 0
        with pytest.raises(EngineStopped):
            second.result(0)
        assert not worker.healthy
        with pytest.raises(EngineStopped):
            worker.admit(1)
        assert worker.tiles == 0


def test_stop_can_end_what_runs_with_its_batch(tiny_model: TiledModel) -> None:
    gate = Gate(tiny_model)
    with running(batch_tiles=1) as (worker, observer):
        first, second = submit(worker, tiny_model), submit(worker, tiny_model)
        second.add_done_callback(lambda _: gate.open())
        assert gate.reached.wait(WAIT_S)
        worker.stop(finish_running=False)
        with pytest.raises(EngineStopped):
            first.result(0)
        assert len(observer.batches) == 1


def test_draining_admits_nothing_and_finishes_what_was_admitted(tiny_model: TiledModel) -> None:
    with running() as (worker, _):
        ticket = worker.admit(TILES)
        worker.drain()
        with pytest.raises(EngineStopped):
            worker.admit(1)
        assert worker.submit(ticket, tiny_model, IMAGE).result(WAIT_S).outcome.raw_score >= 0
        assert not worker.healthy


def test_a_worker_that_was_never_started_can_be_stopped() -> None:
    worker = DeviceWorker(torch.device("cpu"), queue_tiles=1)
    assert not worker.healthy
    worker.stop()
    with pytest.raises(EngineStopped):
        worker.admit(1)
