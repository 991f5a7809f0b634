"""Notes before a training."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from PIL import Image

from app.data import Folder, MVTec
from app.detectors import Subspace, with_thumbnail
from app.tiling import Tiling, TilingMode
from app.training import HoldOut, Labelled, Recipe, plan_training, training_notes
from tests.conftest import draw_surface

Noted = Callable[..., str]


@pytest.fixture
def noted(tmp_path: Path) -> Noted:
    """A function that returns the notes on a training with 120 pictures of 96 x 160, except that on their number."""
    folder = tmp_path / "good"
    folder.mkdir()
    for number in range(120):
        Image.fromarray(draw_surface(number)).save(folder / f"{number:03}.png")

    def make(tiling: Tiling = Tiling(tile_size=32), share: float = 0.9, rate: float = 0.05, **options: object) -> str:  # noqa: B008
        data = Folder(str(folder), num_workers=0, **options)  # type: ignore[arg-type]  # options of each test
        recipe = Recipe(Subspace(), data, tiling, HoldOut(share, rate))
        return "\n".join(training_notes(recipe, plan_training(recipe, torch.device("cpu"))))

    return make


def test_a_usual_training_has_no_notes(noted: Noted) -> None:
    assert noted() == ""
    assert noted(image_size=[96, 160]) == ""
    assert noted(Tiling(enable=False)) == ""


@pytest.mark.parametrize(
    ("tile_size", "words"), [(128, ["height:", "[96, 128]"]), ([256, 176], ["height and width:", "[96, 160]"])]
)
def test_a_tile_larger_than_the_picture_is_noted(noted: Noted, tile_size: int | list[int], words: list[str]) -> None:
    note = noted(Tiling(tile_size=tile_size))
    assert all(word in note for word in ["96 x 160", "tiling.tile_size", *words])
    assert "tiling.tile_size" not in noted(Tiling(tile_size=tile_size, mode=TilingMode.within))  # its tiles shrink


def test_a_changed_ratio_of_edges_is_noted(noted: Noted) -> None:
    note = noted(image_size=[96, 96])
    assert "factor of 1.7" in note and "[96, 160]" in note and "vanish" not in note


def test_a_loss_of_small_defects_is_noted(noted: Noted) -> None:
    note = noted(image_size=[32, 53])
    assert "factor of 3" in note and "12 pixels" in note and "ratio" not in note


def test_overlap_is_noted_with_its_factor(noted: Noted) -> None:
    assert "show each pixel 4 times" in noted(Tiling(tile_size=32, stride=16))


def test_a_thumbnail_that_shows_what_the_only_tile_shows_is_noted(tmp_path: Path) -> None:
    for number in range(3):
        Image.fromarray(draw_surface(number)).save(tmp_path / f"{number}.png")

    def notes(tile_size: int) -> str:
        tiling = Tiling(tile_size=tile_size, thumbnail=True)
        recipe = Recipe(with_thumbnail(Subspace(), tiling), Folder(str(tmp_path), num_workers=0), tiling)
        return "\n".join(training_notes(recipe, plan_training(recipe, torch.device("cpu"))))

    assert "tiling.thumbnail adds a tile" in notes(160)
    assert "tiling.thumbnail" not in notes(96)


def test_few_pictures_are_noted_with_the_bound_that_they_give(noted: Noted) -> None:
    note = noted(share=0.25)
    assert "30 normal pictures" in note and "9.5%" in note and "extrapolated" not in note  # 1 - 0.05^(1/30)
    note = noted(share=0.25, rate=0.01)
    assert "1.0% needs 99 such pictures" in note and "calibration.false_positive_rate" in note


def test_few_pictures_are_noted_with_the_default_calibration(tmp_path: Path) -> None:
    for number in range(2):
        Image.fromarray(draw_surface(number)).save(tmp_path / f"{number}.png")
    recipe = Recipe(Subspace(), Folder(str(tmp_path), num_workers=0), Tiling(tile_size=32))
    (note,) = training_notes(recipe, plan_training(recipe, torch.device("cpu")))
    assert "2 normal pictures" in note and "extrapolated" in note


def test_pictures_that_are_set_aside_are_noted(tmp_path: Path) -> None:
    for number in range(10):
        path = tmp_path / ("scratch" if number == 9 else "good") / f"{number}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(draw_surface(number)).save(path)
    data = Folder(str(tmp_path), normal_dir="good", abnormal_dir="scratch", num_workers=0)
    recipe = Recipe(Subspace(), data, Tiling(tile_size=32))
    notes = list(training_notes(recipe, plan_training(recipe, torch.device("cpu"))))
    assert data.test_note in notes


def test_copies_are_noted(noted: Noted, tmp_path: Path) -> None:
    shutil.copy(tmp_path / "good/004.png", tmp_path / "good/x.png")
    assert "1 pictures are copies of others, such as x.png of 004.png" in noted()


def test_missing_masks_are_noted(tmp_path: Path) -> None:
    for number, place in enumerate(["train/good", "train/good", "test/good", "test/dent", "test/hole"]):
        path = tmp_path / "steel" / place / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(draw_surface(number)).save(path)
    mask = tmp_path / "steel/ground_truth/hole/4_mask.png"
    mask.parent.mkdir(parents=True)
    Image.new("L", (160, 96)).save(mask)
    data = MVTec(str(tmp_path), "steel", num_workers=0, val_split_mode="same_as_test")
    recipe = Recipe(Subspace(), data, Tiling(tile_size=32), Labelled())
    (note,) = training_notes(recipe, plan_training(recipe, torch.device("cpu")))
    assert note.startswith("1 of 2 pictures of defects have no mask (kinds: dent)")
