from pathlib import Path

import pytest

from app.data import Folder
from app.errors import InvalidDataset
from tests.data.conftest import Draw


def test_a_folder_alone_is_read_with_its_subfolders_as_normal(draw: Draw, tmp_path: Path) -> None:
    draw("b/1.png"), draw("a.tiff")
    data = Folder(str(tmp_path), image_size=64)
    assert data.train_pictures() == [tmp_path / "a.tiff", tmp_path / "b/1.png"]
    assert data.test_pictures() == []
    assert data.image_size == (64, 64)


def test_a_missing_folder_is_refused_by_name() -> None:
    with pytest.raises(InvalidDataset, match="no folder nowhere"):
        Folder("nowhere").train_pictures()


@pytest.fixture
def root(draw: Draw, tmp_path: Path) -> Path:
    for number in range(10):
        draw(f"good/{number}.png")
    for name in ("bad/cut/0.png", "bad/cut/1.jpg", "bad/2.png", "dent/0.png"):
        draw(name)
    return tmp_path


def test_kinds_are_the_names_of_the_folders(root: Path) -> None:
    data = Folder(str(root), "good", ["bad", "dent"])
    kinds = {str(test.path.relative_to(root)): test.kind for test in data.test_pictures() if test.anomalous}
    assert kinds == {"bad/cut/0.png": "cut", "bad/cut/1.jpg": "cut", "bad/2.png": "bad", "dent/0.png": "dent"}


def test_some_normal_pictures_are_tested_on_and_not_trained_on(root: Path) -> None:
    data = Folder(str(root), "good", "dent")
    train = [path.stem for path in data.train_pictures()]
    test = [test.path.stem for test in data.test_pictures() if not test.anomalous]
    assert test == ["2", "7"]
    assert sorted(train + test) == [str(number) for number in range(10)]
    assert data.test_note is not None and data.test_note.startswith("2 of 10 ")


def test_with_a_folder_of_normal_test_pictures_all_others_are_trained_on(draw: Draw, root: Path) -> None:
    draw("checked/5.png")
    data = Folder(str(root), "good", "dent", "checked")
    assert len(data.train_pictures()) == 10
    assert data.test_note is None
    assert [test.path for test in data.test_pictures() if not test.anomalous] == [root / "checked/5.png"]


def test_a_single_normal_picture_is_trained_on(draw: Draw, tmp_path: Path) -> None:
    draw("good/0.png"), draw("bad/0.png")
    data = Folder(str(tmp_path), "good", "bad")
    assert len(data.train_pictures()) == len(data.test_pictures()) == 1


def test_masks_have_the_paths_of_their_pictures(draw: Draw, root: Path) -> None:
    draw("masks/cut/0_mask.png"), draw("masks/cut/1.bmp"), draw("masks/unused.png")
    found = {test.path.name: test.mask for test in Folder(str(root), "good", "bad", mask_dir="masks").test_pictures()}
    assert found["0.png"] == root / "masks/cut/0_mask.png"
    assert found["1.jpg"] == root / "masks/cut/1.bmp"
    assert found["2.png"] is None


@pytest.mark.parametrize("masks", ["masks", ["masks/cut", "masks/dent"]])
def test_masks_of_several_folders_are_distinguished(draw: Draw, root: Path, masks: str | list[str]) -> None:
    draw("masks/cut/0.png"), draw("masks/dent/0.png")
    tests = Folder(str(root), "good", ["bad/cut", "dent"], mask_dir=masks).test_pictures()
    found = {str(test.path.relative_to(root)): test.mask for test in tests if test.mask}
    assert found == {"bad/cut/0.png": root / "masks/cut/0.png", "dent/0.png": root / "masks/dent/0.png"}


def test_a_mask_of_two_pictures_is_refused(draw: Draw, root: Path) -> None:
    draw("masks/0.png")
    with pytest.raises(InvalidDataset, match=r"masks/0\.png.*several"):
        Folder(str(root), "good", ["bad/cut", "dent"], mask_dir="masks").test_pictures()


def test_two_masks_of_a_picture_are_refused(draw: Draw, root: Path) -> None:
    draw("masks/0.png"), draw("masks/0_mask.png")
    with pytest.raises(InvalidDataset, match=r"masks/0\.png.*masks/0_mask\.png"):
        Folder(str(root), "good", "dent", mask_dir="masks").test_pictures()


def test_a_folder_of_masks_of_nothing_is_refused(draw: Draw, root: Path) -> None:
    draw("masks/other.png")
    with pytest.raises(InvalidDataset, match=r"no mask in .*masks"):
        Folder(str(root), "good", "dent", mask_dir="masks").test_pictures()


@pytest.mark.parametrize(
    ("folders", "message"),
    [
        ({"abnormal_dir": "bad"}, "need a normal_dir"),
        ({"normal_dir": "good", "abnormal_dir": ["bad", "bad"]}, "abnormal_dir .*twice"),
        ({"normal_dir": "good", "abnormal_dir": "bad", "mask_dir": ["a", "b"]}, "2 of mask_dir.* 1 of abnormal_dir"),
        ({"normal_dir": "good", "abnormal_dir": "bad", "test_split_ratio": 0.0}, "test_split_ratio is 0.0"),
        ({"normal_dir": ".", "abnormal_dir": "bad"}, "in two of the folders"),
        ({"normal_dir": "good", "normal_test_dir": "good"}, "in two of the folders"),
        ({"normal_dir": "dent", "abnormal_dir": "good"}, "would be .good."),
    ],
)
def test_invalid_folders_are_refused(root: Path, folders: dict[str, str], message: str) -> None:
    with pytest.raises(InvalidDataset, match=message):
        Folder(str(root), **folders).test_pictures()  # type: ignore[arg-type]  # one combination per case
