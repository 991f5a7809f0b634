from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from app.data import LabelledPicture
from app.errors import InvalidDataset
from app.evaluation.mask import read_mask


def masked(path: Path, pixels: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> LabelledPicture:
    Image.fromarray(pixels).save(path / "mask.png")
    return LabelledPicture(path / "picture.png", "cut", path / "mask.png")


def test_pixels_that_are_not_black_are_a_defect(tmp_path: Path) -> None:
    pixels = np.zeros((4, 6), np.uint8)
    pixels[1, 2], pixels[3, 5] = 1, 255
    mask = read_mask(masked(tmp_path, pixels), (4, 6))
    assert mask is not None
    np.testing.assert_array_equal(mask.inside, pixels > 0)


@pytest.mark.parametrize("factor", [2, 3])
def test_a_mask_of_another_size_is_resized_by_nearest_pixels(tmp_path: Path, factor: int) -> None:
    small = np.random.default_rng(0).random((7, 5)) < 0.5
    large = small.repeat(factor, 0).repeat(factor, 1)
    enlarged = read_mask(masked(tmp_path, small.astype(np.uint8)), large.shape)
    reduced = read_mask(masked(tmp_path, large.astype(np.uint8)), small.shape)
    assert enlarged is not None
    assert reduced is not None
    np.testing.assert_array_equal(enlarged.inside, large)
    np.testing.assert_array_equal(reduced.inside, small)
    assert (enlarged.file_size, reduced.file_size) == (small.shape, large.shape)


@pytest.mark.parametrize("size", [(1000, 400), (999, 400), (1001, 400), (501, 200), (333, 133)])
def test_a_size_that_was_rounded_has_the_same_aspect_ratio(tmp_path: Path, size: tuple[int, int]) -> None:
    mask = read_mask(masked(tmp_path, np.ones((1000, 400), np.uint8)), size)
    assert mask is not None
    assert mask.inside.shape == size


@pytest.mark.parametrize("size", [(400, 1000), (1000, 410), (500, 210)])
def test_another_aspect_ratio_is_refused(tmp_path: Path, size: tuple[int, int]) -> None:
    with pytest.raises(InvalidDataset, match=rf"400 x 1000 .*{size[1]} x {size[0]}"):
        read_mask(masked(tmp_path, np.ones((1000, 400), np.uint8)), size)


def test_good_pictures_need_no_mask(tmp_path: Path) -> None:
    mask = read_mask(LabelledPicture(tmp_path / "a.png", "good", None), (3, 4))
    assert mask is not None
    assert not mask.inside.any()
    assert mask.file_size is None
    assert read_mask(LabelledPicture(tmp_path / "a.png", "cut", None), (3, 4)) is None


def test_a_missing_mask_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(InvalidDataset, match=r"gone\.png"):
        read_mask(LabelledPicture(tmp_path / "a.png", "cut", tmp_path / "gone.png"), (3, 4))
