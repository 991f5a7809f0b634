"""The files that a training keeps beside its model, and those that a killed training leaves."""

import subprocess
import sys
from pathlib import Path

import pytest

from app.errors import InvalidTraining
from app.training.workspace import workspace


def left(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "screw"
    folder.mkdir()
    return folder


def kill_amid(model: Path, fingerprint: str, files: str) -> None:
    """Another process enters the workspace, runs the code `files`, and is killed."""
    program = f"""
import os, signal
from pathlib import Path
from app.training.workspace import workspace
with workspace(Path({str(model)!r}), {fingerprint!r}) as checkpoint:
    {files}
    os.kill(os.getpid(), signal.SIGKILL)
"""
    subprocess.run([sys.executable, "-c", program], check=False)


def test_a_training_that_fails_leaves_no_empty_folder(model: Path) -> None:
    with pytest.raises(ValueError), workspace(model, "a" * 64):
        raise ValueError
    assert not model.exists()


def test_a_training_that_fails_leaves_its_checkpoint_and_earlier_versions(model: Path) -> None:
    with pytest.raises(ValueError), workspace(model, "a" * 64) as checkpoint:
        checkpoint.touch()
        raise ValueError
    assert left(model) == [".training-aaaaaaaaaaaa.pt"]
    checkpoint.unlink()
    (model / "1").mkdir()
    with workspace(model, "a" * 64):
        pass
    assert left(model) == ["1"]


def test_files_of_a_killed_training_are_removed_by_a_training_of_another_recipe(model: Path) -> None:
    kill_amid(model, "b" * 64, "checkpoint.touch(); checkpoint.with_name('.writing-x').mkdir()")
    assert left(model) == [".training-bbbbbbbbbbbb.lock", ".training-bbbbbbbbbbbb.pt", ".writing-x"]
    with workspace(model, "a" * 64):
        assert left(model) == [".training-aaaaaaaaaaaa.lock"]


def test_the_checkpoint_of_a_killed_training_is_kept_for_its_resumption(model: Path) -> None:
    kill_amid(model, "b" * 64, "checkpoint.touch()")
    with workspace(model, "b" * 64) as checkpoint:
        assert checkpoint.exists()


def test_the_files_of_a_running_training_are_kept_and_it_does_not_run_twice(model: Path) -> None:
    with workspace(model, "a" * 64) as checkpoint:
        checkpoint.touch()
        with workspace(model, "b" * 64):
            assert checkpoint.exists()
        with pytest.raises(InvalidTraining, match="'screw'"), workspace(model, "a" * 64):
            pass
        assert checkpoint.exists()
