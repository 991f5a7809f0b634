"""Injected faults of devices: what pictures get, what the worker reports, and how it recovers."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Event
from time import monotonic

import pytest
import torch
from torch import Tensor

from app.admission import TileQueue
from app.detectors import Features
from app.errors import DeviceFailed, InsufficientMemory, NotFinite
from app.pipeline import TiledModel, predict
from app.scheduling import DeviceWorker, SilentObserver
from app.scheduling.dispatcher import Running
from app.scheduling.watchdog import MEGAPIXEL, REPORTED_S, Watchdog
from tests.waiting import wait_until

WAIT_S = 20
IMAGE = (torch.arange(3 * 96 * 160) % 251).to(torch.uint8).reshape(3, 96, 160)  # 8 tiles
ACCELERATOR = torch.AcceleratorError("CUDA error: unspecified launch failure", 719)


class Ended(BaseException):
    """Ends a thread, because it is no Exception."""


@dataclass
class Device(SilentObserver):
    """A device with a fault, by the number of calls that are left: it raises, hangs, or computes `value`."""

    left: float = 0
    error: BaseException | None = None
    value: float | None = None
    hangs: bool = False
    reached: Event = field(default_factory=Event)
    released: Event = field(default_factory=Event)
    tested: int = 0
    not_finite_pictures: int = 0

    def not_finite(self, device: str) -> None:
        self.not_finite_pictures += 1

    def inject(self, model: TiledModel) -> None:
        run = model.run

        def faulty(tiles: Tensor) -> Features:
            if self.left <= 0:
                return run(tiles)
            self.left -= 1
            self.reached.set()
            if self.hangs:
                assert self.released.wait(WAIT_S)
            if self.error is not None:
                raise self.error
            features = tuple(feature.clone() for feature in run(tiles))
            if self.value is not None:
                features[0][-1, 0, 0, 0] = self.value
            return features

        model.run = faulty  # type: ignore[method-assign]  # stands for a faulty device

    def test_model(self, model: TiledModel) -> None:
        self.tested += 1
        predict(model, IMAGE)


@contextmanager
def running(
    device: Device, *, lanes: int = 1, stuck_after_s: float = 60.0, test: Callable[[TiledModel], object] | None = None
) -> Iterator[DeviceWorker]:
    worker = DeviceWorker(
        [torch.device("cpu")],
        queue=TileQueue(64, monotonic),
        cpu_lanes=lanes,
        observer=device,
        test_model=test or device.test_model,
        stuck_after_s=stuck_after_s,
    )
    worker.start()
    try:
        yield worker
    finally:
        device.released.set()
        worker.stop(wait_s=5)


def outcome(worker: DeviceWorker, model: TiledModel) -> BaseException | None:
    """The error that a picture gets; None: it is answered."""
    try:
        return worker.submit(worker.admit(8), [model], IMAGE).exception(WAIT_S)
    except DeviceFailed as error:
        return error


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.scheduling.quarantine.FIRST_S", 0.02)
    monkeypatch.setattr("app.scheduling.quarantine.LONGEST_S", 0.02)


ONCE = {
    "raises": (Device(1, error=ACCELERATOR), torch.AcceleratorError, 0),
    "raises an unknown error": (Device(1, error=RuntimeError("cuDNN error")), RuntimeError, 0),
    "runs out of memory": (Device(3, error=torch.OutOfMemoryError("out of memory")), InsufficientMemory, 0),
    "computes NaN": (Device(1, value=torch.nan), NotFinite, 1),
    "computes infinity": (Device(1, value=torch.inf), NotFinite, 1),
}


@pytest.mark.parametrize("fault", ONCE)
def test_a_fault_that_ends_costs_one_picture(tiny_model: TiledModel, fault: str) -> None:
    device, expected, tests = ONCE[fault]
    device.inject(tiny_model)
    with running(device) as worker:
        assert isinstance(outcome(worker, tiny_model), expected)
        assert outcome(worker, tiny_model) is None
        assert worker.healthy and not worker.health.fatal
        assert worker.tiles == 0
    assert device.tested == device.not_finite_pictures == tests


ALWAYS = {
    "raises": Device(torch.inf, error=ACCELERATOR),
    "raises an unknown error": Device(torch.inf, error=RuntimeError("cuDNN error")),
    "computes NaN": Device(torch.inf, value=torch.nan),
}


@pytest.mark.parametrize("fault", ALWAYS)
def test_a_fault_that_stays_is_reported_and_forgotten_when_it_ends(tiny_model: TiledModel, fault: str) -> None:
    device = ALWAYS[fault]
    device.inject(tiny_model)
    with running(device, stuck_after_s=0.4) as worker:
        for _ in range(4):
            assert outcome(worker, tiny_model) is not None  # and never a prediction
        wait_until(lambda: not worker.healthy)
        assert "cpu failed" in worker.health.faults[-1]
        wait_until(lambda: bool(worker.health.fatal))  # no other device works
        wait_until(lambda: worker.health.must_end)
        device.left = 0
        wait_until(lambda: worker.healthy)
        assert not worker.health.fatal and not worker.health.faults and not worker.health.must_end
        assert outcome(worker, tiny_model) is None


def test_a_device_that_may_compute_wrong_numbers_gets_no_picture(tiny_model: TiledModel) -> None:
    device = Device(torch.inf, value=torch.nan)
    device.inject(tiny_model)
    with running(device) as worker:
        assert isinstance(outcome(worker, tiny_model), NotFinite)
        wait_until(lambda: not worker.healthy)
        ran = device.tested
        wait_until(lambda: device.tested > ran)
        with pytest.raises(DeviceFailed):
            worker.admit(8)


@pytest.mark.parametrize("lanes", [1, 2])
def test_pictures_of_a_stuck_lane_are_given_up_and_other_lanes_continue(tiny_model: TiledModel, lanes: int) -> None:
    device = Device(1, hangs=True)
    device.inject(tiny_model)
    with running(device, lanes=lanes, stuck_after_s=0.2) as worker:
        error = outcome(worker, tiny_model)
        assert isinstance(error, DeviceFailed) and "0 s" in str(error)
        assert worker.tiles == 0
        assert worker.health.fatal and worker.health.faults and not worker.healthy
        assert (outcome(worker, tiny_model) is None) == (lanes == 2)
        wait_until(lambda: worker.health.must_end)
        device.released.set()
        wait_until(lambda: worker.healthy)  # it was only slow
        assert not worker.health.must_end
        assert outcome(worker, tiny_model) is None


@pytest.mark.parametrize("lanes", [1, 2])
def test_pictures_of_a_dead_thread_are_given_up_at_once_and_other_lanes_continue(
    tiny_model: TiledModel, lanes: int
) -> None:
    device = Device(1, error=Ended("the end"))
    device.inject(tiny_model)
    with running(device, lanes=lanes) as worker:
        error = outcome(worker, tiny_model)
        assert isinstance(error, DeviceFailed) and "Ended: the end" in str(error)
        assert worker.tiles == 0
        assert (outcome(worker, tiny_model) is None) == (lanes == 2)
        (reason,) = worker.health.fatal
        assert "thread" in reason and worker.health.faults == [reason] and not worker.healthy


def test_stopping_waits_no_longer_for_a_stuck_lane_than_asked(tiny_model: TiledModel) -> None:
    device = Device(1, hangs=True)
    device.inject(tiny_model)
    with running(device) as worker:
        waiting = worker.submit(worker.admit(8), [tiny_model], IMAGE)
        assert device.reached.wait(WAIT_S)
        worker.stop(finish_running=False, wait_s=0.1)
        assert "shutting down" in str(waiting.exception(0))


UNIT, LARGE = Running(1, 1000), Running(1, 10 * MEGAPIXEL)


def looks(watchdog: Watchdog, unit: Running, *times_s: float, fatal: bool = False) -> list[float]:
    """The times at which the unit counts as stuck."""
    return [now_s for now_s in times_s if watchdog.look(now_s, {0: unit}, down=False, fatal=fatal)]


def test_a_unit_is_stuck_after_its_time_which_grows_with_its_size() -> None:
    assert looks(Watchdog(10), UNIT, *range(20)) == list(range(11, 20))
    assert looks(Watchdog(10), LARGE, *range(110))[0] == 101


@pytest.mark.parametrize("jump_s", [1e6, -1e6])
def test_neither_a_jump_of_the_clock_nor_a_stopped_process_makes_a_unit_stuck(jump_s: float) -> None:
    times = [*range(8), *(jump_s + each for each in range(2))]
    assert looks(Watchdog(10), UNIT, *times) == []


def test_another_unit_has_another_age() -> None:
    watchdog = Watchdog(10)
    looks(watchdog, UNIT, *range(9))
    assert looks(watchdog, Running(2, 1000), *range(9, 19)) == []


@pytest.mark.parametrize(("lasts_s", "ends"), [(REPORTED_S, False), (REPORTED_S + 1, True)])
def test_the_end_follows_a_fault_that_lasts(lasts_s: float, ends: bool) -> None:
    watchdog = Watchdog(600)
    looks(watchdog, UNIT, *range(int(lasts_s) + 1), fatal=True)
    assert watchdog.must_end == ends
    looks(watchdog, UNIT, lasts_s + 1, fatal=False)
    assert not watchdog.must_end
