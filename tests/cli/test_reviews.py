"""`tessera reviews`."""

from pathlib import Path

import pytest

from app.cli import main
from tests.store.kept.making import DEFECT, added, opened


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """A folder of two kept pictures, one of them reviewed."""
    store = opened(tmp_path / "kept")
    store.review(added(store, 1), 0, DEFECT)
    added(store, 2, 0.4, model="screw")
    store.close()
    return tmp_path / "kept"


def test_pictures_are_listed(kept: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert main(["reviews", "list", "--pictures_dir", str(kept), "--reviewed", "false"]) == 0
    listed = capsys.readouterr().out
    assert "screw:3" in listed and "p2.png" in listed and "surface" not in listed
    monkeypatch.setenv("TESSERA_PICTURES_DIR", str(kept))
    assert main(["reviews", "list", "--name", "surface"]) == 0
    assert "defect" in capsys.readouterr().out


def test_reviews_are_exported_and_imported(
    kept: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TESSERA_PICTURES_FREE_BYTES", "0")
    folder = str(tmp_path / "reviews")
    assert main(["reviews", "export", "--pictures_dir", str(kept), "--name", "surface", "--folder", folder]) == 0
    assert main(["reviews", "import", "--pictures_dir", str(tmp_path / "new"), "--folder", folder]) == 0
    assert "pictures added: 1; reviews updated: 0; unchanged: 0" in capsys.readouterr().err
    (found,) = opened(tmp_path / "new").each()
    assert found.review == DEFECT and found.rule == "imported"


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (["list"], 2, "--pictures_dir is missing"),
        (["export", "--pictures_dir", "kept"], 2, "--folder is missing"),
        (["import", "--folder", "reviews", "--name", "lid"], 2, "an import takes all of its folder"),
        (["list", "--pictures_dir", "absent"], 1, "not a directory"),
        (["import", "--pictures_dir", "kept", "--folder", "absent"], 1, "no reviews.json"),
    ],
)
def test_mistakes_are_explained(
    words: list[str],
    status: int,
    message: str,
    kept: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["reviews", *words]) == status
    assert message in capsys.readouterr().err
