"""Normal pictures that a user leaves out of a training."""

from pathlib import Path

import pytest

from app.data import Folder, named_pictures, short_names
from app.errors import InvalidDataset

PICTURES = [Path("/data/a/1.png"), Path("/data/b/1.png"), Path("/data/b/2.png")]


def test_a_picture_is_named_by_the_end_of_its_path() -> None:
    assert named_pictures(["2.png"], PICTURES) == [PICTURES[2]]
    assert named_pictures(["b/1.png", "2.png"], PICTURES) == PICTURES[1:]
    assert named_pictures(["/data/a/1.png"], PICTURES) == PICTURES[:1]


def test_short_names_find_their_pictures_again() -> None:
    names = short_names(PICTURES, PICTURES)
    assert names == ["a/1.png", "b/1.png", "2.png"]
    assert named_pictures(names, PICTURES) == PICTURES


@pytest.mark.parametrize(
    ("name", "words"),
    [("1.png", "2 pictures are called; give a/1.png, b/1.png"), ("2.pgn", "did you mean '2.png'"), ("", "called so")],
)
def test_a_name_of_no_picture_or_of_several_is_refused(name: str, words: str) -> None:
    with pytest.raises(InvalidDataset, match=words):
        named_pictures([name], PICTURES)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a.png", "b.png", "c.png"):
        (tmp_path / name).touch()
    return tmp_path


def test_excluded_pictures_are_not_trained_on_and_the_notes_say_so(folder: Path) -> None:
    data = Folder(str(folder), exclude=["b.png"])
    assert [path.name for path in data.train_pictures()] == ["a.png", "c.png"]
    assert [path.name for path in data.find_normal()] == ["a.png", "b.png", "c.png"]
    assert data.notes == ["left out: 1 picture by data.exclude (b.png)"]
    assert [path.name for path in Folder(str(folder), exclude="a.png").train_pictures()] == ["b.png", "c.png"]


def test_not_all_pictures_can_be_excluded(folder: Path) -> None:
    with pytest.raises(InvalidDataset, match="names all 3 normal pictures"):
        Folder(str(folder), exclude=["a.png", "b.png", "c.png"]).train_pictures()
