import os
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from app.artifacts import ModelRepository, write_artifact
from app.cli.results import Result, write_results
from app.evaluation.disk_array import DiskArray
from app.evaluation.report.write import replace_files
from app.files import locked, replacing, sweep, unfinished_directory
from app.pipeline import TiledModel
from app.tensor_files import write_tensors
from app.training.checkpoint import Checkpoint
from tests.conftest import RECORD

LIMIT = 10_000


@pytest.fixture
def full_disk() -> Iterator[None]:
    """No file can be longer than LIMIT bytes: writes fail as on a full disk, with another errno."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (LIMIT, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def text(folder: Path) -> None:
    with replacing(folder / "file") as temporary:
        temporary.write_text("x" * 2 * LIMIT)


def array(folder: Path) -> None:
    with DiskArray(np.float32, folder) as values:
        values.append(np.zeros(LIMIT, np.float32))


WRITERS: dict[str, Callable[[Path], object]] = {
    "replaced file": text,
    "list of results": lambda folder: write_results(folder, [Result(Path("x" * 100), None, "y" * 2 * LIMIT)]),
    "report": lambda folder: replace_files(folder, {"small": "x", "large": "x" * 2 * LIMIT}),
    "tensors": lambda folder: write_tensors({"a": torch.zeros(LIMIT)}, folder / "file"),
    "checkpoint": lambda folder: Checkpoint(folder / "file", "digest").save({"a": torch.zeros(LIMIT)}),
    "feature store": array,
}


@pytest.mark.usefixtures("full_disk")
@pytest.mark.parametrize("kind", WRITERS)
def test_a_full_disk_is_an_error_that_names_the_place_and_leaves_nothing(kind: str, tmp_path: Path) -> None:
    with pytest.raises(OSError, match="File too large") as failure:
        WRITERS[kind](tmp_path)
    assert str(failure.value.filename).startswith(str(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_a_version_that_does_not_fit_leaves_nothing(tiny_model: TiledModel, tmp_path: Path, full_disk: None) -> None:
    with pytest.raises(OSError, match="File too large"):
        write_artifact(tiny_model, ModelRepository(tmp_path), "screw", RECORD)
    assert list((tmp_path / "screw").iterdir()) == []


def test_leftovers_of_killed_writers_are_swept_beside_a_living_one(tmp_path: Path) -> None:
    code = "import os, sys; from pathlib import Path; from app.files import unfinished_directory as new\n"
    code += "with new(Path(sys.argv[1])) as made: (made / 'half').write_text('x'); os.kill(os.getpid(), 9)"
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False)
    (left,) = tmp_path.iterdir()
    with unfinished_directory(tmp_path) as living:
        assert sweep(tmp_path) == [left]
        assert list(tmp_path.iterdir()) == [living]
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_swept_while_the_folder_is_locked(tmp_path: Path) -> None:
    (tmp_path / ".writing-x").mkdir()
    with locked(tmp_path, wait=True):
        assert sweep(tmp_path) == []
    assert sweep(tmp_path) == [tmp_path / ".writing-x"]


def test_a_repository_is_swept_and_keeps_checkpoints_and_new_locks(tmp_path: Path) -> None:
    model = tmp_path / "screw"
    (model / ".writing-x").mkdir(parents=True)
    for name in (".training-a.lock", ".training-b.lock", ".training-b.pt", ".training-c.lock"):
        (model / name).touch()
    for name in (".training-a.lock", ".training-b.lock"):
        os.utime(model / name, (0, 0))
    assert ModelRepository(tmp_path).sweep() == [model / ".writing-x", model / ".training-a.lock"]
    assert {path.name for path in model.iterdir()} == {".training-b.lock", ".training-b.pt", ".training-c.lock"}
