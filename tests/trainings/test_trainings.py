"""The folder of trainings: what a killed server leaves, and names of files."""

from concurrent.futures import Future
from pathlib import Path

import pytest

from app.artifacts import ModelRepository
from app.errors import InvalidTrainings
from app.service import ReloadedModel
from app.trainings import Training, TrainingLimits, Trainings, TrainingState
from app.trainings.records import MOST_RECORDS, RecordFolder
from app.trainings.storing import stored_name
from app.trainings.training import training_of

LIMITS = TrainingLimits(60.0, 2**32, 1)


def never(_: str) -> Future[list[ReloadedModel]]:
    raise AssertionError


def opened(root: Path) -> Trainings:
    return Trainings(root / "trainings", ModelRepository(root / "models"), LIMITS, never)


def test_a_training_that_ran_when_the_server_was_killed_has_failed_and_its_files_go(tmp_path: Path) -> None:
    folder = RecordFolder(tmp_path / "trainings", training_of)
    training = Training("8f14e45fceea167a", "lid", 1.0, 1.0, pictures=10)
    folder.write(training)
    (folder.work(training.id) / "pictures").mkdir(parents=True)
    trainings = opened(tmp_path)
    found = trainings.get(training.id)
    assert (found.state, found.code) == (TrainingState.failed, "training_interrupted")
    assert "send the pictures again" in found.message
    assert [path.name for path in folder.root.iterdir()] == [f"{training.id}.json"]
    trainings.stop()
    again = opened(tmp_path)
    assert again.newest(10) == [found]
    again.stop()


def test_two_servers_cannot_share_a_folder(tmp_path: Path) -> None:
    first = opened(tmp_path)
    with pytest.raises(InvalidTrainings, match="another server uses"):
        opened(tmp_path)
    first.stop()


def test_records_that_cannot_be_read_are_left_alone(tmp_path: Path) -> None:
    folder = RecordFolder(tmp_path, training_of)
    (tmp_path / "0123456789abcdef.json").write_text("{")
    (tmp_path / "1123456789abcdef.json").write_text('{"id": "1123456789abcdef", "state": "lost"}')
    (tmp_path / "other.json").write_text("{}")
    assert folder.records() == []
    assert len(list(tmp_path.iterdir())) == 3 < MOST_RECORDS


def test_a_record_whose_file_cannot_be_removed_is_forgotten(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = RecordFolder(tmp_path / "trainings", training_of)
    training = Training("8f14e45fceea167a", "lid", 1.0, 1.0, state=TrainingState.done)
    folder.write(training)
    trainings = opened(tmp_path)
    file = folder.root / f"{training.id}.json"
    file.unlink()
    file.mkdir()
    assert trainings.delete(training.id) is None
    assert trainings.newest(10) == [] and "cannot be removed" in caplog.text
    trainings.stop()


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        ("a.png", "a.png"),
        ("C:\\lot 7\\a.png", "a.png"),
        ("../../a.png", "a.png"),
        ("", "picture"),
        ("..", "picture"),
        ("a\x00\n.png", "a.png"),
        ("ü" * 200 + ".png", "ü" * 48 + ".png"),
    ],
)
def test_the_name_of_a_file_cannot_leave_its_folder(sent: str, stored: str) -> None:
    assert stored_name(sent) == stored
