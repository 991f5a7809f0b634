from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from scripts.demo.dataset import Plan, write_dataset

PLAN = Plan(train=3, test=4, size=(48, 64), seed=1)


@pytest.fixture(scope="module")
def category(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_dataset(tmp_path_factory.mktemp("data"), PLAN, category="steel")


def test_the_layout_is_that_of_mvtec(category: Path) -> None:
    assert category.name == "steel"
    assert sorted(str(path.relative_to(category)) for path in category.rglob("*.png")) == [
        "ground_truth/pit/000_mask.png",
        "ground_truth/scratch/000_mask.png",
        "ground_truth/scratch/001_mask.png",
        "ground_truth/stain/000_mask.png",
        "test/good/000.png",
        "test/good/001.png",
        "test/good/002.png",
        "test/good/003.png",
        "test/pit/000.png",
        "test/scratch/000.png",
        "test/scratch/001.png",
        "test/stain/000.png",
        "train/good/000.png",
        "train/good/001.png",
        "train/good/002.png",
    ]


def test_pictures_have_the_requested_size(category: Path) -> None:
    for path in category.rglob("*.png"):
        with Image.open(path) as picture:
            assert picture.size == (64, 48)
            assert picture.mode == ("L" if "ground_truth" in path.parts else "RGB")


def test_masks_are_black_and_white_and_not_empty(category: Path) -> None:
    for path in (category / "ground_truth").rglob("*.png"):
        assert set(np.unique(np.asarray(Image.open(path)))) == {0, 255}


def test_no_two_pictures_are_the_same(category: Path) -> None:
    pictures = [path.read_bytes() for path in category.rglob("*.png") if "ground_truth" not in path.parts]

    assert len(set(pictures)) == len(pictures)


def test_a_picture_depends_on_the_seed_and_not_on_the_number_of_pictures(category: Path, tmp_path: Path) -> None:
    fewer = write_dataset(tmp_path, Plan(train=1, test=1, size=PLAN.size, seed=PLAN.seed))

    for path in fewer.rglob("*.png"):
        assert path.read_bytes() == (category / path.relative_to(fewer)).read_bytes()
