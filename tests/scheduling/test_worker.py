import gc
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Future
from contextlib import contextmanager
from dataclasses import replace
from itertools import count
from pathlib import Path
from threading import Barrier, Event, Lock
from time import monotonic

import pytest
import torch
from torch import Tensor

from app.admission import TileQueue
from app.artifacts import ModelRepository, load_artifact
from app.detectors import Features
from app.errors import EngineStopped, InsufficientMemory, Overloaded
from app.pipeline import TiledModel, predict
from app.scheduling import DeviceWorker, Done, End, SilentObserver
from tests.interposing import BeforeNetwork
from tests.waiting import wait_until

WAIT_S = 20
IMAGE = (torch.arange(3 * 96 * 160) % 251).to(torch.uint8).reshape(3, 96, 160)  # 2 x 4 tiles
POISON = torch.full_like(IMAGE, 255)
TILES = 8


class Recorder(SilentObserver):
    def __init__(self) -> None:
        self.failed: list[int] = []
        self.ends: list[End] = []
        self.queue: list[int] = []
        self.batches: list[tuple[int, float]] = []
        self.steps: list[float] = []

    def queue_changed(self, tiles: int) -> None:
        self.queue.append(tiles)

    def batch_done(self, device: str, tiles: int, room: int, seconds: float) -> None:
        assert tiles <= room
        self.batches.append((tiles, seconds))

    def batch_failed(self, device: str, tiles: int, seconds: float) -> None:
        self.failed.append(tiles)

    def step_done(self, device: str, seconds: float) -> None:
        self.steps.append(seconds)

    def picture_ended(self, how: End) -> None:
        self.ends.append(how)


@contextmanager
def running(
    *, queue_tiles: int = 64, devices: int = 1, clock: Callable[[], float] = lambda: 0.0
) -> Iterator[tuple[DeviceWorker, Recorder]]:
    observer = Recorder()
    worker = DeviceWorker(
        [torch.device("cpu")] * devices, queue=TileQueue(queue_tiles, clock), clock=clock, observer=observer
    )
    worker.start()
    try:
        yield worker, observer
    finally:
        worker.stop()


class Gate:
    """Blocks the network until `open`; `reached` is set once the network is called."""

    def __init__(self, model: TiledModel) -> None:
        self.reached, self._open = Event(), Event()
        BeforeNetwork(model, self._wait)

    def _wait(self) -> None:
        self.reached.set()
        assert self._open.wait(WAIT_S)

    def open(self) -> None:
        self._open.set()


def fail_once(model: TiledModel, error: Exception) -> None:
    def fail() -> None:
        hook.remove()
        raise error

    hook = BeforeNetwork(model, fail)


def fail_always(model: TiledModel, error: Exception) -> BeforeNetwork:
    def fail() -> None:
        raise error

    return BeforeNetwork(model, fail)


def poison(model: TiledModel) -> None:
    """Makes every batch fail that has a white tile."""
    run = model.run

    def run_unless_poisoned(tiles: Tensor) -> Features:
        if (tiles[:, 0] > 2.2).any():  # white, normalised
            raise ValueError("poison")
        return run(tiles)

    model.run = run_unless_poisoned  # type: ignore[method-assign]  # stands for any failure caused by a picture


def submit(worker: DeviceWorker, model: TiledModel, image: Tensor = IMAGE) -> Future[Done]:
    return worker.submit(worker.admit(TILES), [model], image)


@pytest.mark.parametrize("batch_tiles", [1, 3, 8, 32])
def test_the_outcome_equals_that_of_predict(tiny_model: TiledModel, batch_tiles: int) -> None:
    tiny_model.execution = replace(tiny_model.execution, batch_tiles=batch_tiles)
    expected = predict(tiny_model, IMAGE, batch_tiles)
    with running() as (worker, _):
        outcome = submit(worker, tiny_model).result(WAIT_S).outcome
    assert outcome.raw_score == expected.raw_score
    assert torch.equal(outcome.anomaly_map, expected.anomaly_map)


def test_batches_are_bounded_and_the_observer_gets_the_queue(tiny_model: TiledModel) -> None:
    tiny_model.execution = replace(tiny_model.execution, batch_tiles=3)
    with running() as (worker, observer):
        submit(worker, tiny_model).result(WAIT_S)
    assert [tiles for tiles, _ in observer.batches] == [3, 3, 2]
    assert observer.queue == [TILES, 0]


def test_device_time_is_measured_by_the_given_clock(tiny_model: TiledModel) -> None:
    tiny_model.execution = replace(tiny_model.execution, batch_tiles=8)
    lock, ticks = Lock(), count()

    def clock() -> float:
        with lock:
            return float(next(ticks))

    with running(clock=clock) as (worker, observer):
        done = submit(worker, tiny_model).result(WAIT_S)
    units = len(observer.batches) + len(observer.steps)
    assert observer.batches == [(8, 1.0)]
    assert done.device_s == units  # each unit took one tick


def test_pictures_share_batches_and_are_charged_for_their_tiles(tiny_model: TiledModel) -> None:
    tiny_model.execution = replace(tiny_model.execution, batch_tiles=16)
    gate = Gate(tiny_model)
    with running(clock=monotonic) as (worker, observer):
        first = submit(worker, tiny_model)
        assert gate.reached.wait(WAIT_S)
        others = [submit(worker, tiny_model) for _ in range(2)]
        gate.open()
        done = [each.result(WAIT_S) for each in (first, *others)]
        assert [tiles for tiles, _ in observer.batches] == [8, 16]
    spent = sum(seconds for _, seconds in observer.batches) + sum(observer.steps)
    assert sum(each.device_s for each in done) == pytest.approx(spent)
    assert all(torch.equal(each.outcome.anomaly_map, done[0].outcome.anomaly_map) for each in done[1:])


def test_a_failing_picture_fails_alone(tiny_model: TiledModel) -> None:
    fail_once(tiny_model, ValueError("broken"))
    with running() as (worker, _):
        failing, fine = submit(worker, tiny_model), submit(worker, tiny_model)
        with pytest.raises(ValueError, match="broken"):
            failing.result(WAIT_S)
        assert fine.result(WAIT_S).outcome.raw_score >= 0
        assert worker.healthy
    assert worker.tiles == 0


def test_the_failing_picture_of_a_shared_batch_is_found(tiny_model: TiledModel) -> None:
    tiny_model.execution = replace(tiny_model.execution, batch_tiles=40)
    expected = predict(tiny_model, IMAGE, 8)
    gate = Gate(tiny_model)
    poison(tiny_model)
    with running() as (worker, observer):
        first = submit(worker, tiny_model)
        assert gate.reached.wait(WAIT_S)
        images = [IMAGE, IMAGE, POISON, IMAGE, IMAGE]
        shared = [submit(worker, tiny_model, image) for image in images]
        gate.open()
        first.result(WAIT_S)
        for number, each in enumerate(shared):
            if number == 2:
                with pytest.raises(ValueError, match="poison"):
                    each.result(WAIT_S)
            else:
                assert torch.allclose(each.result(WAIT_S).outcome.anomaly_map, expected.anomaly_map, atol=1e-4)
        assert worker.healthy
    assert observer.failed[0] == 40 and set(observer.failed) <= {40, 24, 16, 8}
    assert sorted(observer.ends) == ["done"] * 5 + ["failed"]


MEMORY_ERRORS = [
    torch.OutOfMemoryError("CUDA out of memory"),
    RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 99 bytes"),
    MemoryError(),
]


@pytest.mark.parametrize("error", MEMORY_ERRORS)
def test_lack_of_memory_halves_the_batches(tiny_model: TiledModel, error: Exception) -> None:
    tiny_model.execution = replace(tiny_model.execution, batch_tiles=8)
    expected = predict(tiny_model, IMAGE, 8)
    run = tiny_model.run

    def run_at_most_3(tiles: Tensor) -> Features:
        if len(tiles) > 3:
            raise error
        return run(tiles)

    tiny_model.run = run_at_most_3  # type: ignore[method-assign]  # stands for a device with little memory
    with running() as (worker, observer):
        for _ in range(2):
            outcome = submit(worker, tiny_model).result(WAIT_S).outcome
            assert torch.allclose(outcome.anomaly_map, expected.anomaly_map, atol=1e-4)
        assert worker.healthy
    assert observer.failed == [8, 4]
    assert [tiles for tiles, _ in observer.batches] == [2] * 8


@pytest.mark.parametrize("error", MEMORY_ERRORS)
def test_a_single_tile_that_lacks_memory_raises_insufficient_memory(tiny_model: TiledModel, error: Exception) -> None:
    tiny_model.execution = replace(tiny_model.execution, batch_tiles=4)
    hook = fail_always(tiny_model, error)
    with running() as (worker, observer):
        with pytest.raises(InsufficientMemory):
            submit(worker, tiny_model).result(WAIT_S)
        assert observer.failed == [4, 2, 1]
        assert worker.healthy
        hook.remove()
        submit(worker, tiny_model).result(WAIT_S)


def test_a_device_failure_makes_the_worker_unhealthy_until_a_picture_succeeds(tiny_model: TiledModel) -> None:
    fail_once(tiny_model, torch.AcceleratorError("CUDA error: an illegal memory access was encountered", 700))
    with running() as (worker, _):
        with pytest.raises(torch.AcceleratorError):
            submit(worker, tiny_model).result(WAIT_S)
        assert not worker.healthy
        submit(worker, tiny_model).result(WAIT_S)
        assert worker.healthy


class Probes:
    """Tests devices, by their numbers: those in `broken` fail."""

    def __init__(self, *broken: int) -> None:
        self.broken, self.tested = set(broken), list[int]()

    def __call__(self, device: int) -> None:
        self.tested.append(device)
        if device in self.broken:
            raise torch.AcceleratorError("CUDA error: unspecified launch failure", 719)

    @contextmanager
    def running(self) -> Iterator[DeviceWorker]:
        devices = [torch.device("cpu:0"), torch.device("cpu:1")]
        worker = DeviceWorker(devices, queue=TileQueue(64, monotonic), test_device=self)
        worker.start()
        try:
            yield worker
        finally:
            worker.stop()


@pytest.fixture
def two_models(models_dir: Path) -> list[TiledModel]:
    """The same model for two devices."""
    return [load_artifact(ModelRepository(models_dir).find("patchcore", 1)).model for _ in range(2)]


def fail_on_first_device(worker: DeviceWorker, models: list[TiledModel]) -> None:
    """Sends pictures until the first device fails one; the other device may take some of them."""
    while not isinstance(worker.submit(worker.admit(TILES), models, IMAGE).exception(WAIT_S), torch.AcceleratorError):
        pass


def test_a_device_that_failed_once_recovers_without_pictures(
    two_models: list[TiledModel], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.scheduling.quarantine.FIRST_S", 0.2)
    probes = Probes()
    fail_once(two_models[0], torch.AcceleratorError("CUDA error: an illegal memory access was encountered", 700))
    with probes.running() as worker:
        fail_on_first_device(worker, two_models)
        assert worker.devices == {"cpu:0": False, "cpu:1": True}
        assert worker.healthy
        wait_until(lambda: all(worker.devices.values()))  # no picture was sent
        assert probes.tested == [0]


def test_a_device_that_stays_broken_is_tested_again_while_the_other_works(
    two_models: list[TiledModel], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("app.scheduling.quarantine.FIRST_S", 0.02)
    probes = Probes(0)
    fail_always(two_models[0], torch.AcceleratorError("CUDA error: unspecified launch failure", 719))
    with probes.running() as worker:
        fail_on_first_device(worker, two_models)
        wait_until(lambda: len(probes.tested) >= 3)
        for _ in range(4):
            worker.submit(worker.admit(TILES), two_models, IMAGE).result(WAIT_S)
        assert worker.devices == {"cpu:0": False, "cpu:1": True}
        assert worker.healthy
        probes.broken.clear()
        wait_until(lambda: all(worker.devices.values()))
    assert sum("cpu:0 failed" in record.getMessage() for record in caplog.records) == 1


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


def test_a_result_is_freed_with_its_last_reference_without_garbage_collection(tiny_model: TiledModel) -> None:
    gc.disable()
    try:
        with running() as (worker, _):
            with worker.admit(TILES) as ticket:
                done = worker.submit(ticket, (tiny_model,), IMAGE)
                gone = weakref.ref(done.result(WAIT_S).outcome.anomaly_map)
            del ticket, done
            wait_until(lambda: gone() is None)
    finally:
        gc.enable()


def test_waiting_work_that_is_given_up_frees_its_room_and_its_picture_at_once(tiny_model: TiledModel) -> None:
    gate = Gate(tiny_model)
    image = IMAGE.clone()
    gone = weakref.ref(image)
    with running(queue_tiles=2 * TILES) as (worker, observer):
        first = submit(worker, tiny_model)
        assert gate.reached.wait(WAIT_S)
        with worker.admit(TILES) as ticket:
            waiting = worker.submit(ticket, [tiny_model], image)
            with pytest.raises(Overloaded):
                worker.admit(1)
            assert not waiting.cancel()  # leaving the ticket is the only way
            del image
        with pytest.raises(CancelledError):
            waiting.result(0)
        del waiting
        gc.collect()
        assert worker.tiles == TILES
        assert gone() is None
        gate.open()
        first.result(WAIT_S)
    assert observer.ends == ["done"]  # no lane had taken the other picture


def test_leaving_the_ticket_ends_running_work_after_its_batch(tiny_model: TiledModel) -> None:
    tiny_model.execution = replace(tiny_model.execution, batch_tiles=3)
    gate = Gate(tiny_model)
    with running() as (worker, observer):
        with worker.admit(TILES) as ticket:
            abandoned = worker.submit(ticket, [tiny_model], IMAGE)
            assert gate.reached.wait(WAIT_S)
        assert worker.tiles == TILES  # a batch is running
        gate.open()
        with pytest.raises(CancelledError):
            abandoned.result(WAIT_S)
    assert worker.tiles == 0
    assert [tiles for tiles, _ in observer.batches] == [3]
    assert observer.ends == ["dropped"]


def test_stop_finishes_running_pictures_and_fails_waiting_ones(tiny_model: TiledModel) -> None:
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


def test_stop_can_end_running_pictures_after_their_batch(tiny_model: TiledModel) -> None:
    tiny_model.execution = replace(tiny_model.execution, batch_tiles=1)
    gate = Gate(tiny_model)
    with running() as (worker, observer):
        first, second = submit(worker, tiny_model), submit(worker, tiny_model)
        second.add_done_callback(lambda _: gate.open())
        assert gate.reached.wait(WAIT_S)
        worker.stop(finish_running=False)
        with pytest.raises(EngineStopped):
            first.result(0)
        assert len(observer.batches) == 1


def test_draining_admits_no_picture_and_finishes_admitted_ones(tiny_model: TiledModel) -> None:
    with running() as (worker, _):
        ticket = worker.admit(TILES)
        worker.drain()
        with pytest.raises(EngineStopped):
            worker.admit(1)
        assert worker.submit(ticket, [tiny_model], IMAGE).result(WAIT_S).outcome.raw_score >= 0
        assert not worker.healthy


def test_a_worker_that_was_never_started_can_be_stopped() -> None:
    worker = DeviceWorker([torch.device("cpu")], queue=TileQueue(1, monotonic))
    assert not worker.healthy
    worker.stop()
    with pytest.raises(EngineStopped):
        worker.admit(1)


def test_lanes_of_a_cpu_work_in_parallel_and_share_its_processors(tiny_model: TiledModel) -> None:
    model, processors = tiny_model, torch.get_num_threads()
    seen: list[int] = []
    both, lock = Barrier(2), Lock()

    def meet() -> None:
        with lock:
            seen.append(torch.get_num_threads())
        both.wait(WAIT_S)

    worker = DeviceWorker([torch.device("cpu")], queue=TileQueue(64, monotonic), cpu_lanes=2)
    worker.start()
    try:
        # With small batches a lane takes one picture at a time.
        model.execution = replace(model.execution, batch_tiles=TILES // 4)
        alone = BeforeNetwork(model, lambda: seen.append(torch.get_num_threads()))
        expected = submit(worker, model).result(WAIT_S).outcome
        alone.remove()
        assert set(seen) == {processors}  # a single picture uses all processors

        BeforeNetwork(model, meet)
        done = [submit(worker, model) for _ in range(2)]
        for each in done:
            assert torch.equal(each.result(WAIT_S).outcome.anomaly_map, expected.anomaly_map)
    finally:
        worker.stop()
    assert seen[-1] == max(1, processors // 2)
