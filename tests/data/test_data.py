from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from app.data import Folder, MVTec, decoded, headers, pictures_in
from app.errors import InvalidDataset


def draw(path: Path, value: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((8, 12), value, np.uint8)).save(path)
    return path


def test_the_layout_of_mvtec_is_read(tmp_path: Path) -> None:
    for name in ("train/good/1.png", "train/good/0.PNG", "test/good/5.png", "test/cut/7.png", "test/cut/8.jpg"):
        draw(tmp_path / "tile" / name)
    draw(tmp_path / "tile/ground_truth/cut/7_mask.png")
    (tmp_path / "tile/train/good/notes.txt").touch()
    data = MVTec(str(tmp_path), "tile")
    assert [path.name for path in data.train_pictures()] == ["0.PNG", "1.png"]
    found = [(test.path.name, test.kind, test.mask and test.mask.name) for test in data.test_pictures()]
    assert found == [("7.png", "cut", "7_mask.png"), ("8.jpg", "cut", None), ("5.png", "good", None)]
    assert [test.anomalous for test in data.test_pictures()] == [True, True, False]


def test_a_folder_is_read_with_its_subfolders(tmp_path: Path) -> None:
    draw(tmp_path / "b/1.png"), draw(tmp_path / "a.tiff")
    data = Folder(str(tmp_path), image_size=64)
    assert data.train_pictures() == [tmp_path / "a.tiff", tmp_path / "b/1.png"]
    assert data.test_pictures() == []
    assert data.image_size == (64, 64)


@pytest.mark.parametrize("data", [Folder("nowhere"), MVTec("nowhere", "tile")])
def test_a_folder_that_is_not_there_is_named(data: Folder | MVTec) -> None:
    with pytest.raises(InvalidDataset, match="there is no folder nowhere"):
        data.train_pictures()


def test_a_folder_without_pictures_is_refused_with_what_is_taken(tmp_path: Path) -> None:
    (tmp_path / "a.gif").touch()
    with pytest.raises(InvalidDataset, match=r"holds no pictures; those with \.bmp"):
        Folder(str(tmp_path)).train_pictures()


@pytest.mark.parametrize("workers", [1, 3])
def test_pictures_are_decoded_in_order(tmp_path: Path, workers: int) -> None:
    paths = [draw(tmp_path / f"{number}.png", number) for number in range(20)]
    assert [int(picture[0, 0, 0]) for picture in decoded(paths, workers)] == list(range(20))


def test_a_picture_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    paths = [draw(tmp_path / "0.png"), tmp_path / "1.png"]
    paths[1].write_bytes(b"no picture")
    with pytest.raises(InvalidDataset, match=r"1\.png cannot be read"):
        headers(paths)
    with pytest.raises(InvalidDataset, match=r"1\.png cannot be read"):
        list(decoded(paths, 2))


def test_pictures_of_a_folder_keep_their_names_below_it(tmp_path: Path) -> None:
    paths = draw(tmp_path / "b/1.png"), draw(tmp_path / "a.tiff")
    assert pictures_in(tmp_path) == [(paths[1], Path("a")), (paths[0], Path("b/1"))]
    assert pictures_in(paths[0]) == [(paths[0], Path("1"))]
