"""`tessera teach`."""

import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from app.artifacts import ModelRepository, live_version, verify_artifact
from app.cli import main
from app.store.kept import PictureFile
from app.teaching.learning.base import read_base
from tests.store.kept.making import opened
from tests.teaching.kept import filled, png

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
def place(teachable_dir: Path, tmp_path: Path) -> Path:
    """A folder with the repository `models` and the kept pictures `kept`."""
    shutil.copytree(teachable_dir, tmp_path / "models")
    filled(tmp_path / "kept", "lid").close()
    return tmp_path


def words(place: Path, *more: str) -> list[str]:
    return [
        *("teach", "--name", "lid", "--pictures_dir", str(place / "kept")),
        *("--models_dir", str(place / "models"), "--device", "cpu", *more),
    ]


def test_a_model_is_taught_proved_and_served_by_commands(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    repository = ModelRepository(place / "models")
    assert main(words(place, "--second_stage", "true")) == 0
    printed = capsys.readouterr().err
    assert "replay 10 of 10" in printed and "4 false alarms of 4 vanish" in printed
    assert "no second stage: it needs 10 pictures with confirmed" in printed
    assert "0 of 3 confirmed defects lost" in printed and "wrote version 2 of lid" in printed
    assert "to serve it: tessera models promote --name lid --version 2" in printed
    assert live_version(repository, "lid") == 1
    models = ["--name", "lid", "--models_dir", str(place / "models"), "--device", "cpu"]
    assert main(["models", "promote", "--version", "2", *models]) == 0
    assert live_version(repository, "lid") == 2
    assert main(["models", "rollback", *models]) == 0
    assert live_version(repository, "lid") == 1


def test_poison_is_refused_and_nothing_is_written(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    filled(place / "kept", "lid", poison=5).close()
    assert main(words(place, "--serve", "true")) == 1
    printed = capsys.readouterr().err
    assert "refused: 3 of 3 confirmed defects would be lost" in printed and "nothing was written" in printed
    assert len(ModelRepository(place / "models").versions("lid")) == 1


def test_the_error_of_a_version_without_scores_has_the_command_that_helps(
    models_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(models_dir / "patchcore/1", tmp_path / "models/patchcore/1")
    filled(tmp_path / "kept", "patchcore").close()
    (tmp_path / "good").mkdir()
    for seed in range(400, 404):
        (tmp_path / f"good/{seed}.png").write_bytes(png(seed))
    monkeypatch.setenv("TESSERA_MODELS_DIR", str(tmp_path / "models"))
    teach = ["teach", "--name", "patchcore", "--pictures_dir", str(tmp_path / "kept"), "--device", "cpu"]
    assert main(teach) == 1
    (command,) = re.findall(r"\(tessera (calibrate .*?)\)", capsys.readouterr().err)
    assert main([*command.replace("FOLDER", str(tmp_path / "good")).split(), "--data.num_workers", "0"]) == 0
    assert read_base(ModelRepository(tmp_path / "models").find("patchcore"), "cpu").version == 2


@pytest.mark.parametrize(
    ("more", "status", "message"),
    [
        (["--most_lost", "-1"], 2, "--most_lost is -1"),
        (["--false_positive_rate", "1"], 2, "--false_positive_rate is 1.0; use more than 0 and less than 1"),
        (["--name", "absent"], 1, "there is no model 'absent'"),
        (["--pictures_dir", "absent"], 1, "not a directory"),
    ],
)
def test_mistakes_are_explained(
    more: list[str], status: int, message: str, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = dict(zip(words(place)[1::2], words(place)[2::2], strict=True)) | {more[0]: more[1]}
    assert main(["teach", *(word for pair in given.items() for word in pair)]) == status
    assert message in capsys.readouterr().err


def test_a_kill_at_any_moment_leaves_store_and_versions_whole(place: Path, tmp_path: Path) -> None:
    """One command is killed at a random moment of the replay, another one while it writes the version."""
    places = [place, tmp_path / "other"]
    shutil.copytree(place / "models", places[1] / "models")
    shutil.copytree(place / "kept", places[1] / "kept")
    started = [
        subprocess.Popen([sys.executable, "-m", "app", *words(each)], cwd=ROOT, stderr=subprocess.PIPE, text=True)
        for each in places
    ]
    killed_replaying(started[0])
    killed_writing(started[1], places[1] / "models/lid")
    for each in places:
        repository = ModelRepository(each / "models")
        for entry in repository.versions("lid"):
            verify_artifact(entry)
        assert live_version(repository, "lid") == 1
        store = opened(each / "kept")
        assert len([store.read(kept.id, PictureFile.picture) for kept in store.each()]) == 10
        assert store.usage().reviewed == 7
        store.close()
    assert main(words(places[1])) == 0  # nothing stands in the way of the next one
    assert not list((places[1] / "models/lid").glob(".writing-*"))


def killed_replaying(command: "subprocess.Popen[str]") -> None:
    assert command.stderr is not None
    while not command.stderr.readline().startswith("replay"):
        assert command.poll() is None
    time.sleep(np.random.default_rng().uniform(0, 0.5))
    command.send_signal(signal.SIGKILL)
    command.communicate()


def killed_writing(command: "subprocess.Popen[str]", model: Path) -> None:
    while not list(model.glob(".writing-*")) and command.poll() is None:
        time.sleep(0.001)
    command.send_signal(signal.SIGKILL)
    command.communicate()
