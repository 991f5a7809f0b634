from pathlib import Path

import pytest

from app.data import DataModule, Folder, MVTec
from app.errors import InvalidDataset
from tests.data.conftest import Draw


def test_the_layout_of_mvtec_is_read(draw: Draw, tmp_path: Path) -> None:
    for name in ("train/good/1.png", "train/good/0.PNG", "test/good/5.png", "test/cut/7.png", "test/cut/8.jpg"):
        draw(f"tile/{name}")
    draw("tile/ground_truth/cut/7_mask.png")
    (tmp_path / "tile/train/good/notes.txt").touch()
    data = MVTec(str(tmp_path), "tile")
    assert [path.name for path in data.train_pictures()] == ["0.PNG", "1.png"]
    found = [(test.path.name, test.kind, test.mask and test.mask.name) for test in data.test_pictures()]
    assert found == [("7.png", "cut", "7_mask.png"), ("8.jpg", "cut", None), ("5.png", "good", None)]
    assert [test.anomalous for test in data.test_pictures()] == [True, True, False]


NAMES = (
    "7_mask.png",
    "7.png",
    "7_mask.PNG",
    "7_gt.bmp",
    "7-GT.tif",
    "7_label.jpg",
    "7.mask.png",
    "7.jpg.png",
    "7_Masks.webp",
)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("layout", ["MVTec", "Folder"])
def test_masks_are_found_by_the_names_that_tools_give_them(draw: Draw, tmp_path: Path, name: str, layout: str) -> None:
    for path in ("train/good/0.png", "train/good/1.png", "test/good/5.png", "test/cut/7.jpg", "test/cut/7_gt2.png"):
        draw(f"tile/{path}")
    mask = draw(f"tile/ground_truth/cut/{name}")
    if layout == "MVTec":
        data: DataModule = MVTec(str(tmp_path), "tile")
    else:
        data = Folder(str(tmp_path / "tile"), "train/good", "test/cut", "test/good", "ground_truth/cut")
    found = {test.path.name: test.mask for test in data.test_pictures()}
    assert found == {"5.png": None, "7.jpg": mask, "7_gt2.png": None}
    assert data.unused_masks == []
    unused = draw("tile/ground_truth/cut/9_mask.png")
    assert data.unused_masks == [unused]
    assert "9_mask.png" in (data.mask_note or "")


def test_a_picture_may_be_called_like_a_mask(draw: Draw, tmp_path: Path) -> None:
    for name in ("test/cut/7.png", "test/cut/7_gt.png", "ground_truth/cut/7.png", "ground_truth/cut/7_gt.png"):
        draw(f"tile/{name}")
    tests = MVTec(str(tmp_path), "tile").test_pictures()
    assert [test.path.name for test in tests] == [test.mask.name for test in tests if test.mask]


def test_two_masks_of_a_picture_are_refused(draw: Draw, tmp_path: Path) -> None:
    for name in ("test/cut/7.png", "ground_truth/cut/7.png", "ground_truth/cut/7_mask.png"):
        draw(f"tile/{name}")
    with pytest.raises(InvalidDataset, match="masks of the same picture"):
        MVTec(str(tmp_path), "tile").test_pictures()


def test_a_missing_category_is_refused_by_its_path() -> None:
    with pytest.raises(InvalidDataset, match="no folder nowhere/tile/train/good"):
        MVTec("nowhere", "tile").train_pictures()


def test_a_category_to_test_on_needs_no_pictures_to_train_on(draw: Draw, tmp_path: Path) -> None:
    draw("tile/test/cut/7.png")
    assert len(MVTec(str(tmp_path), "tile").test_pictures()) == 1
