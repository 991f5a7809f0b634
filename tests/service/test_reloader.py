import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from threading import Event
from typing import Any

import pytest
import torch

from app.artifacts import ModelRepository
from app.errors import EngineStopped, ModelNotFound, TesseraError, UnreadableRepository
from app.pipeline import Prepared, TiledModel
from app.service import ModelCatalogue, Reloader, VersionState
from tests.repositories import add_version
from tests.waiting import WAIT_S, wait_until


class Gate:
    """Counts scans, and blocks the thread at the end of each scan while `open` is not set."""

    def __init__(self) -> None:
        self.scans, self.reached, self.open = 0, Event(), Event()
        self.open.set()

    def version_tried(self, error: TesseraError | None, seconds: float) -> None:
        pass

    def version_unloaded(self) -> None:
        pass

    def refreshed(self, readable: bool, seconds: float) -> None:
        self.scans += 1
        self.reached.set()
        assert self.open.wait(WAIT_S)


@pytest.fixture
def root(models_dir: Path, tmp_path: Path) -> Path:
    """A repository with one model."""
    shutil.copytree(models_dir / "patchcore/1", tmp_path / "patchcore/1")
    return tmp_path


Started = tuple[Reloader, ModelCatalogue, Gate]


@pytest.fixture
def started(root: Path) -> Iterator[Callable[[float], Started]]:
    with ExitStack() as stack:

        def start(interval_s: float) -> Started:
            gate = Gate()
            catalogue = ModelCatalogue(ModelRepository(root), [torch.device("cpu")], observer=gate)
            reloader = Reloader(catalogue, interval_s=interval_s, processors=1)
            reloader.start()
            stack.callback(reloader.stop)
            stack.callback(gate.open.set)
            return reloader, catalogue, gate

        yield start


def test_polling_finds_new_versions(started: Callable[[float], Started], root: Path) -> None:
    _, catalogue, _ = started(0.01)
    wait_until(lambda: catalogue.count(VersionState.ready) == 1)
    add_version(root / "patchcore/1", root, "patchcore", 2)
    wait_until(lambda: catalogue.count(VersionState.ready) == 2)
    assert catalogue.get("patchcore").version == 2


def test_polling_continues_while_the_repository_is_missing(started: Callable[[float], Started], root: Path) -> None:
    _, catalogue, _ = started(0.01)
    wait_until(lambda: catalogue.count(VersionState.ready) == 1)
    away = root.with_name(root.name + "-away")
    root.rename(away)
    wait_until(lambda: catalogue.problem is not None)
    away.rename(root)
    wait_until(lambda: catalogue.problem is None)
    assert catalogue.get("patchcore").version == 1


def test_without_an_interval_only_reloads_scan(started: Callable[[float], Started], root: Path) -> None:
    reloader, catalogue, gate = started(0.0)
    wait_until(lambda: catalogue.started)
    add_version(root / "patchcore/1", root, "patchcore", 2)
    (changed,) = reloader.reload("patchcore").result(WAIT_S)
    assert (changed.live, changed.added, gate.scans) == (2, (2,), 2)


def test_reloads_share_a_scan_that_starts_after_each_of_them(started: Callable[[float], Started], root: Path) -> None:
    reloader, _, gate = started(0.0)
    reloader.reload("patchcore").result(WAIT_S)
    gate.open.clear()
    gate.reached.clear()
    first = reloader.reload("patchcore")
    assert gate.reached.wait(WAIT_S)  # the scan is complete, without the version added below
    add_version(root / "patchcore/1", root, "patchcore", 2)
    later = [reloader.reload("patchcore") for _ in range(10)]
    gate.open.set()
    assert first.result(WAIT_S)[0].added == ()
    assert [future.result(WAIT_S)[0].added for future in later] == [(2,)] * 10
    assert gate.scans == 4


def test_default_is_resolved_after_the_scan(started: Callable[[float], Started], root: Path) -> None:
    reloader, _, _ = started(0.0)
    assert [model.name for model in reloader.reload("default").result(WAIT_S)] == ["patchcore"]
    shutil.rmtree(root / "patchcore")
    (gone,) = reloader.reload("default").result(WAIT_S)
    assert (gone.removed, gone.live) == ((1,), None)


def test_unknown_names_are_refused_after_the_scan(started: Callable[[float], Started], root: Path) -> None:
    reloader, _, _ = started(0.0)
    with pytest.raises(ModelNotFound, match=r"'screw'.*patchcore"):
        reloader.reload("screw").result(WAIT_S)
    add_version(root / "patchcore/1", root, "screw", 1)
    assert reloader.reload("screw").result(WAIT_S)[0].added == (1,)
    assert [model.name for model in reloader.reload("default").result(WAIT_S)] == ["patchcore"]
    shutil.rmtree(root)
    with pytest.raises(UnreadableRepository):
        reloader.reload().result(WAIT_S)


def test_waiting_reloads_fail_when_the_reloader_stops(started: Callable[[float], Started]) -> None:
    reloader, catalogue, gate = started(0.0)
    wait_until(lambda: catalogue.started)
    gate.open.clear()
    gate.reached.clear()
    running = reloader.reload()
    assert gate.reached.wait(WAIT_S)
    waiting = reloader.reload("patchcore")
    catalogue.stop()
    gate.open.set()
    reloader.stop()
    for future in (running, waiting):
        with pytest.raises(EngineStopped):
            future.result(WAIT_S)
    with pytest.raises(EngineStopped):
        reloader.reload()


def test_a_version_that_a_device_refused_is_tried_again(
    started: Callable[[float], Started], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.service.reloader.FIRST_RETRY_S", 0.05)
    errors = [torch.AcceleratorError("CUDA error: unspecified launch failure", 719)] * 2
    stage = TiledModel.prepare

    def faulty(self: TiledModel, *arguments: Any) -> Prepared:
        if errors:
            raise errors.pop()
        return stage(self, *arguments)

    monkeypatch.setattr(TiledModel, "prepare", faulty)  # the golden sample needs it
    _, catalogue, _ = started(0.01)
    wait_until(lambda: catalogue.count(VersionState.failed) == 1)
    wait_until(lambda: catalogue.count(VersionState.ready) == 1)
