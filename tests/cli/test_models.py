import shutil
from pathlib import Path

import pytest

from app.artifacts import ModelRepository
from app.artifacts.serving import SERVING
from app.cli import main
from app.parts import require_default
from app.settings import Settings
from tests.repositories import flip_a_bit


@pytest.fixture
def root(models_dir: Path, tmp_path: Path) -> Path:
    """Versions 1 and 2 of one model; no file says which one serves."""
    shutil.copytree(models_dir / "patchcore", tmp_path / "patchcore", ignore=shutil.ignore_patterns(SERVING))
    return tmp_path


def run(root: Path, *words: str) -> int:
    return main(["models", *words, "--models_dir", str(root), "--device", "cpu"])


def test_the_list_shows_what_serves_and_who_chose_it(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(root, "promote", "--name", "patchcore", "--version", "1") == 0
    assert "version 1 of patchcore serves, and is pinned; before: version 2" in capsys.readouterr().err
    assert run(root, "list") == 0
    listed = [line for line in capsys.readouterr().out.splitlines() if "patchcore" in line]
    assert "live, pinned" in listed[0] and "candidate" in listed[1]
    assert run(root, "rollback", "--name", "patchcore") == 0
    assert run(root, "list", "--history", "true") == 0
    shown = capsys.readouterr().out
    assert shown.index("promote") < shown.index("rollback")


def test_a_candidate_is_started_shown_and_stopped(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name = ["shadow", "--name", "patchcore"]
    found = "of 0 pictures, 0 are anomalous for version 1 only, and 0 for version 2 only"
    for words, said in (
        ([], "no version of patchcore runs as a shadow, and none did"),
        (["--version", "1", "--share", "0.1"], "version 1 of patchcore runs beside version 2 on 0.1 of the requests"),
        ([], f"version 1 of patchcore runs beside version 2 on 0.1 of the requests; {found}"),
        (["--stop", "true"], f"the shadow of patchcore, version 1, is stopped; {found}"),
        ([], f"version 1 of patchcore is stopped; {found}"),
    ):
        assert run(root, *name, *words) == 0
        assert said in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--version", "2"], "version 2 of model 'patchcore' serves already"),
        (["--version", "7"], "has no version 7"),
        (["--version", "1", "--share", "0"], "--share is 0, and must be over 0 and at most 1"),
        (["--version", "1", "--pictures", "0"], "--pictures is 0, and must be from 1"),
        (["--stop", "true"], "no shadow of model 'patchcore' runs"),
    ],
)
def test_mistakes_with_a_candidate_are_refused(
    root: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    assert run(root, "shadow", "--name", "patchcore", *words) != 0
    assert said in " ".join(capsys.readouterr().err.split())


def test_the_history_shows_all_changes_in_their_order(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name = ["--name", "patchcore"]
    for words in (["copy", "--version", "1"], ["pin", "--version", "1"], ["delete", "--version", "3"], ["unpin"]):
        assert run(root, *words, *name) == 0
    capsys.readouterr()
    assert run(root, "list", "--history", "true") == 0
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in capsys.readouterr().out.splitlines()]
    assert [row[3:] for row in rows if row][2:] == [
        ["copy", "patchcore:1", "3"],
        ["pin", "3", "1"],
        ["delete", "3", ""],
        ["unpin", "1", "the newest"],
    ]


def test_a_repeated_choice_says_that_nothing_has_changed(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words, said in (
        (["pin"], "version 2 of patchcore serves, as before, and is pinned now"),
        (["pin"], "version 2 of patchcore serves already, and is pinned; nothing has changed"),
        (["pin", "--version", "1"], "version 1 of patchcore serves, and is pinned; before: version 2"),
        (["pin", "--version", "1"], "version 1 of patchcore serves already, and is pinned; nothing has changed"),
        (["promote", "--version", "1"], "version 1 of patchcore serves already, and is pinned; nothing has changed"),
        (["unpin"], "the newest version of patchcore serves, version 2; version 1 was pinned"),
        (["unpin"], "the newest version of patchcore serves, version 2; no version was pinned"),
    ):
        assert run(root, *words, "--name", "patchcore") == 0
        assert said in capsys.readouterr().err
    changes = [(each.before, each.after) for each in ModelRepository(root).serving("patchcore").history]
    assert changes == [(2, 2), (2, 1), (1, None)]


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (["promote"], 2, "--name"),
        (["copy", "--name", "patchcore"], 2, "--version"),
        (["promote", "--name", "screw"], 1, "available: patchcore"),
        (["promote", "--name", "patchcore", "--version", "7"], 1, "available: 1, 2"),
        (["delete", "--name", "patchcore", "--version", "2"], 1, "promote another version"),
        (["promote", "--name", "patchcore", "--version", "1"], 1, "weights.safetensors"),
        (["copy", "--name", "patchcore", "--version", "1"], 1, "it was changed"),
    ],
)
def test_a_change_that_cannot_be_made_is_refused_and_nothing_changes(
    root: Path, capsys: pytest.CaptureFixture[str], words: list[str], status: int, message: str
) -> None:
    flip_a_bit(root / "patchcore/1")
    assert run(root, *words) == status
    assert message in capsys.readouterr().err
    assert [entry.version for entry in ModelRepository(root).versions("patchcore")] == [1, 2]
    assert ModelRepository(root).serving("patchcore").pinned is None


def test_a_default_model_that_is_missing_is_refused_at_the_start(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    require_default(Settings(models_dir=root, default_model="patchcore"))
    with pytest.raises(SystemExit, match=r"default_model is 'screw'.*available: patchcore"):
        main(["serve", "--models_dir", str(root), "--default_model", "screw"])
