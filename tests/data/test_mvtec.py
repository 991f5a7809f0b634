from pathlib import Path

import pytest

from app.data import MVTec
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


def test_a_missing_category_is_refused_by_its_path() -> None:
    with pytest.raises(InvalidDataset, match="no folder nowhere/tile/train/good"):
        MVTec("nowhere", "tile").train_pictures()


def test_a_category_to_test_on_needs_no_pictures_to_train_on(draw: Draw, tmp_path: Path) -> None:
    draw("tile/test/cut/7.png")
    assert len(MVTec(str(tmp_path), "tile").test_pictures()) == 1
