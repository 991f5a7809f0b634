import pickle
from pathlib import Path

import pytest
import torch

from app.training.checkpoint import INTERVAL_S, MIN_WRITE_INTERVALS, Checkpoint


class Clock:
    """A clock that shows `now_s`."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def test_a_state_is_read_as_it_was_written(tmp_path: Path) -> None:
    state = {"weights": torch.randn(3), "epoch": 2, "losses": [0.5, 0.25], "by_epoch": {1: {"val_loss": 0.5}}}
    Checkpoint(tmp_path / "deep/state.pt", "a").save(state)
    found = Checkpoint(tmp_path / "deep/state.pt", "a").load()
    assert found is not None
    assert torch.equal(found.pop("weights"), state.pop("weights"))  # type: ignore[arg-type]  # a tensor
    assert found == state
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["state.pt"]


def test_the_state_of_another_training_is_not_loaded(tmp_path: Path) -> None:
    Checkpoint(tmp_path / "state.pt", "a").save({"epoch": 2})
    assert Checkpoint(tmp_path / "state.pt", "b").load() is None


@pytest.mark.parametrize("content", [b"", b"half a file", pickle.dumps({"digest": "a", "state": print}, 2)])
def test_a_file_that_is_no_checkpoint_is_ignored(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "state.pt").write_bytes(content)
    assert Checkpoint(tmp_path / "state.pt", "a").load() is None


def test_a_checkpoint_is_due_once_per_interval(tmp_path: Path) -> None:
    clock = Clock()
    checkpoint = Checkpoint(tmp_path / "state.pt", "a", clock)
    checkpoint.save_if_due(lambda: {"step": 1})
    assert checkpoint.load() is None
    clock.now_s += INTERVAL_S
    checkpoint.save_if_due(lambda: {"step": 2})
    assert checkpoint.load() == {"step": 2}
    clock.now_s += INTERVAL_S / 2
    checkpoint.save_if_due(lambda: {"step": 3})
    assert checkpoint.load() == {"step": 2}


def test_a_slow_disk_is_written_to_less_often(tmp_path: Path) -> None:
    times = iter(
        [0.0, 100.0, 100.0, 103.0, 103.0 + MIN_WRITE_INTERVALS * 3 - 1, 103.0 + MIN_WRITE_INTERVALS * 3, *[999.0] * 3]
    )
    checkpoint = Checkpoint(tmp_path / "state.pt", "a", lambda: next(times))
    checkpoint.save_if_due(lambda: {"step": 1})  # due at 100 s, written by 103 s
    checkpoint.save_if_due(lambda: {"step": 2})  # a second too early
    assert checkpoint.load() == {"step": 1}
    checkpoint.save_if_due(lambda: {"step": 3})
    assert checkpoint.load() == {"step": 3}


def test_a_write_that_fails_keeps_the_previous_state(tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path / "state.pt", "a")
    checkpoint.save({"step": 1})
    with pytest.raises(Exception, match="pickle"):
        checkpoint.save({"step": lambda: None})
    assert checkpoint.load() == {"step": 1}
    assert [path.name for path in tmp_path.iterdir()] == ["state.pt"]


def test_a_finished_training_leaves_no_file(tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path / "state.pt", "a")
    checkpoint.save({"step": 1})
    checkpoint.remove()
    checkpoint.remove()
    assert not (tmp_path / "state.pt").exists()
