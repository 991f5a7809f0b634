import re
import shlex
from pathlib import Path

import pytest

from app.data import Folder
from app.errors import InvalidDataset
from tests.data.conftest import Draw


@pytest.mark.parametrize(
    "name", ["bad", "Defects", "ng", "NOK", "anomalous", "not-good", "line 2/scratch", "a/b/bad_1"]
)
def test_a_root_with_a_folder_of_defects_is_not_trained_on(draw: Draw, tmp_path: Path, name: str) -> None:
    draw("good/0.png"), draw(f"{name}/0.png")
    wrong = rf"--data.normal_dir good --data.abnormal_dir {re.escape(shlex.quote(name))}"
    with pytest.raises(InvalidDataset, match=wrong):
        Folder(str(tmp_path)).train_pictures()


def test_all_folders_are_named_in_the_words_to_use(draw: Draw, tmp_path: Path) -> None:
    for name in ("a/ok/0.png", "a/ng/0.png", "b/ok/0.png", "b/ng/deep/0.png", "masks/0.png"):
        draw(name)
    with pytest.raises(InvalidDataset) as refusal:
        Folder(str(tmp_path)).train_pictures()
    words = "--data.normal_dir '[a/ok, b/ok]' --data.abnormal_dir '[a/ng, b/ng]' --data.mask_dir masks"
    assert words in str(refusal.value)
    data = Folder(str(tmp_path), ["a/ok", "b/ok"], ["a/ng", "b/ng"])
    assert len(data.train_pictures()) == 1
    assert sum(picture.anomalous for picture in data.test_pictures()) == 2


def test_normal_pictures_beside_a_folder_of_defects_need_a_folder_of_their_own(draw: Draw, tmp_path: Path) -> None:
    draw("0.png"), draw("bad/0.png")
    with pytest.raises(InvalidDataset, match=r"Move the normal pictures .*normal_dir good --data.abnormal_dir bad"):
        Folder(str(tmp_path)).train_pictures()
    with pytest.raises(InvalidDataset, match="in two of the folders"):
        Folder(str(tmp_path), ".", "bad").train_pictures()


def test_any_folder_beside_a_folder_of_good_pictures_is_suspect(draw: Draw, tmp_path: Path) -> None:
    draw("good/0.png"), draw("scuffed/0.png")
    with pytest.raises(InvalidDataset, match=r"scuffed is beside .*abnormal_dir scuffed"):
        Folder(str(tmp_path)).train_pictures()
    assert len(Folder(str(tmp_path), ["good", "scuffed"]).train_pictures()) == 2


def test_folders_whose_names_say_nothing_are_not_proposed_beside_one_of_defects(draw: Draw, tmp_path: Path) -> None:
    for name in ("normal/0.png", "defect/0.png", "new/0.png"):
        draw(name)
    with pytest.raises(InvalidDataset) as refusal:
        Folder(str(tmp_path)).train_pictures()
    assert str(refusal.value).endswith("--data.normal_dir normal --data.abnormal_dir defect")


def test_a_folder_in_the_layout_of_mvtec_is_read_by_its_own_class(draw: Draw, tmp_path: Path) -> None:
    for name in ("train/good/0.png", "test/good/0.png", "test/worn/0.png", "ground_truth/worn/0.png"):
        draw(f"tile/{name}")
    with pytest.raises(InvalidDataset, match=r"--data MVTec --data.root .* --data.category tile"):
        Folder(str(tmp_path / "tile")).train_pictures()


def test_names_of_the_given_folders_are_not_judged(draw: Draw, tmp_path: Path) -> None:
    draw("bad/0.png"), draw("bad/monday/1.png"), draw("defect_free/0.png")
    assert len(Folder(str(tmp_path / "bad")).train_pictures()) == 2
    assert len(Folder(str(tmp_path), "bad").train_pictures()) == 2
    assert len(Folder(str(tmp_path), [".", "bad"]).train_pictures()) == 3


def test_normal_test_pictures_are_checked_as_well(draw: Draw, tmp_path: Path) -> None:
    draw("good/0.png"), draw("checked/ok/1.png"), draw("checked/ng/2.png")
    with pytest.raises(InvalidDataset, match="abnormal_dir checked/ng"):
        Folder(str(tmp_path), "good", normal_test_dir="checked").test_pictures()
