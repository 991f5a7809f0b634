from pathlib import Path

import pytest

from app.data import PictureFile, UnreadablePolicy, read_headers
from app.errors import InvalidDataset
from tests.data.conftest import Draw


@pytest.fixture
def paths(draw: Draw, tmp_path: Path) -> list[Path]:
    """Two pictures, seven files that are not pictures, and one path without a file."""
    damaged = [tmp_path / f"{number}.png" for number in range(2, 9)]
    for path in damaged:
        path.write_bytes(b"no picture")
    return [draw("0.png"), draw("1.png"), *damaged, tmp_path / "9.png"]


def test_headers_have_the_sizes_of_pictures(paths: list[Path]) -> None:
    found = read_headers(paths[:2], UnreadablePolicy())
    assert {path: (header.height, header.width) for path, header in found.items()} == dict.fromkeys(paths[:2], (8, 12))


def test_known_pictures_are_not_read_again(paths: list[Path]) -> None:
    known: dict[Path, PictureFile] = {}
    found = read_headers(paths[:1], UnreadablePolicy(), known)
    assert found == known
    paths[0].unlink()
    again = read_headers(paths[:2], UnreadablePolicy(), known)
    assert list(again) == list(known) == paths[:2]


def test_unreadable_pictures_are_counted_and_the_first_five_named(paths: list[Path]) -> None:
    with pytest.raises(InvalidDataset, match=r"8 of 10 .*2\.png.*6\.png.* 3 more.*--data.on_unreadable skip"):
        read_headers(paths, UnreadablePolicy("stop"))


def test_skipped_pictures_are_reported_with_name_and_reason(paths: list[Path]) -> None:
    reported: dict[Path, str] = {}
    found = read_headers(paths, UnreadablePolicy("skip", reported.__setitem__))
    assert list(found) == paths[:2]
    assert list(reported) == paths[2:]
    assert reported[paths[9]] == "No such file or directory"


def test_a_dataset_without_a_readable_picture_is_refused_even_with_skip(paths: list[Path]) -> None:
    with pytest.raises(InvalidDataset, match="none of 8"):
        read_headers(paths[2:], UnreadablePolicy("skip"))
