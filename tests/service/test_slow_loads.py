"""Versions and directories that cannot be read in time do not delay the others, nor the end of the server."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from threading import Event
from time import monotonic

import pytest
import torch

from app.artifacts import Entry, Fingerprint, ModelRepository
from app.artifacts.reader import Files, read_artifact
from app.errors import LoadTimeout, UnreadableRepository
from app.service import ModelCatalogue, Reloader, VersionState
from tests.waiting import WAIT_S, wait_until


@pytest.fixture
def released() -> Iterator[Event]:
    """Set at the end of the test: hanging calls end."""
    event = Event()
    yield event
    event.set()


@pytest.fixture
def root(models_dir: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(models_dir, tmp_path / "models"))


def hang_on_padim(monkeypatch: pytest.MonkeyPatch, released: Event) -> None:
    """Lets the files of padim hang until the end of the test."""

    def read(entry: Entry) -> Files:
        if entry.name == "padim":
            assert released.wait(WAIT_S)
        return read_artifact(entry)

    monkeypatch.setattr("app.service.version_loader.read_artifact", read)


def catalogue(root: Path, patience_s: float = 0.0, limit_s: float = 1e9) -> ModelCatalogue:
    return ModelCatalogue(
        ModelRepository(root), [torch.device("cpu")], patience_s=patience_s or WAIT_S, limit_s=limit_s
    )


def test_a_version_that_hangs_does_not_delay_the_others(
    root: Path, monkeypatch: pytest.MonkeyPatch, released: Event
) -> None:
    hang_on_padim(monkeypatch, released)
    models = catalogue(root, patience_s=2, limit_s=0.1)
    models.refresh()
    assert models.started
    assert (models.count(VersionState.ready), models.count(VersionState.failed)) == (2, 1)
    assert isinstance(models.model("padim").versions[0].error, LoadTimeout)
    models.refresh(again=True)  # does not start another load
    released.set()
    wait_until(lambda: models.count(VersionState.ready) == 3)
    assert models.model("padim").versions[0].error is None


def test_a_version_that_hangs_does_not_delay_the_end(
    root: Path, monkeypatch: pytest.MonkeyPatch, released: Event
) -> None:
    hang_on_padim(monkeypatch, released)
    reloader = Reloader(catalogue(root), interval_s=0, processors=1)
    reloader.start()
    started = monotonic()
    reloader.stop()
    assert monotonic() - started < 5


@pytest.mark.parametrize("failure", ["hangs", "denied"])
def test_a_directory_that_cannot_be_read_keeps_its_model_and_the_others(
    root: Path, monkeypatch: pytest.MonkeyPatch, released: Event, failure: str
) -> None:
    models = catalogue(root, patience_s=2)
    models.refresh()
    scan = ModelRepository.scan

    def broken(repository: ModelRepository, name: str) -> dict[Entry, Fingerprint]:
        if name == "padim" and failure == "denied":
            raise PermissionError(13, "Permission denied")
        if name == "padim":
            assert released.wait(WAIT_S)
        return scan(repository, name)

    monkeypatch.setattr(ModelRepository, "scan", broken)
    shutil.rmtree(root / "patchcore/1")
    models.refresh()
    assert models.get("padim").version == 1
    assert [status.entry.version for status in models.model("patchcore").versions] == [2]


def test_a_repository_that_hangs_withdraws_no_model(
    root: Path, monkeypatch: pytest.MonkeyPatch, released: Event
) -> None:
    models = catalogue(root, patience_s=2)
    models.refresh()

    def hanging(_: ModelRepository) -> list[str]:
        assert released.wait(WAIT_S)
        return []

    monkeypatch.setattr(ModelRepository, "names", hanging)
    with pytest.raises(UnreadableRepository, match="does not answer"):
        models.refresh()
    assert models.get("padim").version == 1
