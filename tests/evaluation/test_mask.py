from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from app.data import LabelledPicture
from app.errors import InvalidDataset
from app.evaluation.mask import MAX_PIXELS, read_mask

ORIENTATION = 0x0112


def masked(path: Path, pixels: NDArray[np.uint8], orientation: int = 1) -> LabelledPicture:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    Image.fromarray(pixels).save(path / "mask.png", exif=exif)
    return LabelledPicture(path / "picture.png", "cut", path / "mask.png")


def inside(picture: LabelledPicture, size: tuple[int, int]) -> NDArray[np.bool_]:
    found = read_mask(picture, size).inside
    assert found is not None
    return found


def test_pixels_that_are_not_black_are_a_defect(tmp_path: Path) -> None:
    pixels = np.zeros((4, 6), np.uint8)
    pixels[1, 2], pixels[3, 5] = 1, 255
    np.testing.assert_array_equal(inside(masked(tmp_path, pixels), (4, 6)), pixels > 0)


@pytest.mark.parametrize("factor", [2, 3])
def test_a_mask_of_another_size_is_resized_by_nearest_pixels(tmp_path: Path, factor: int) -> None:
    small = np.random.default_rng(0).random((7, 5)) < 0.5
    large = small.repeat(factor, 0).repeat(factor, 1)
    enlarged = read_mask(masked(tmp_path, small.astype(np.uint8)), large.shape)
    reduced = read_mask(masked(tmp_path, large.astype(np.uint8)), small.shape)
    assert enlarged.inside is not None and enlarged.file is not None
    assert reduced.inside is not None and reduced.file is not None
    np.testing.assert_array_equal(enlarged.inside, large)
    np.testing.assert_array_equal(reduced.inside, small)
    assert (enlarged.file.size, reduced.file.size) == (small.shape, large.shape)
    assert (enlarged.file.defect_pixels, reduced.file.defect_pixels) == (large.sum(), small.sum())


@pytest.mark.parametrize("size", [(1000, 400), (999, 400), (1001, 400), (501, 200), (333, 133)])
def test_a_size_that_was_rounded_has_the_same_aspect_ratio(tmp_path: Path, size: tuple[int, int]) -> None:
    assert inside(masked(tmp_path, np.ones((1000, 400), np.uint8)), size).shape == size


@pytest.mark.parametrize("size", [(400, 1000), (1000, 410), (500, 210)])
def test_another_aspect_ratio_is_refused(tmp_path: Path, size: tuple[int, int]) -> None:
    with pytest.raises(InvalidDataset, match=rf"400 x 1000 .*{size[1]} x {size[0]}.* their pictures$"):
        read_mask(masked(tmp_path, np.ones((1000, 400), np.uint8)), size)


def test_the_orientation_of_a_mask_is_applied(tmp_path: Path) -> None:
    pixels = np.zeros((4, 6), np.uint8)
    pixels[0, 0] = 1
    turned = inside(masked(tmp_path, pixels, orientation=6), (6, 4))  # rotated clockwise
    assert np.argwhere(turned).tolist() == [[0, 3]]


@pytest.mark.parametrize("which", ["picture", "mask"])
def test_a_mask_that_does_not_fit_its_picture_is_refused_with_its_orientation(tmp_path: Path, which: str) -> None:
    pixels, upright = np.zeros((10, 20), np.uint8), (20, 10) if which == "picture" else (10, 20)
    picture = masked(tmp_path, pixels, orientation=6 if which == "mask" else 1)
    exif = Image.Exif()
    exif[ORIENTATION] = 6 if which == "picture" else 1
    Image.fromarray(pixels).save(picture.path, exif=exif)
    with pytest.raises(InvalidDataset, match=f"orientation of the {which} is applied"):
        read_mask(picture, upright)


def test_good_pictures_have_no_defects_whatever_their_mask_says(tmp_path: Path) -> None:
    Image.new("L", (4, 3), 255).save(tmp_path / "mask.png")
    for mask in (None, tmp_path / "mask.png"):
        found = read_mask(LabelledPicture(tmp_path / "a.png", "good", mask), (3, 4))
        assert found.file is None
        assert found.inside is not None
        assert not found.inside.any()


def test_without_a_mask_it_is_not_known_where_the_defects_are(tmp_path: Path) -> None:
    found = read_mask(LabelledPicture(tmp_path / "a.png", "cut", None), (3, 4))
    assert (found.inside, found.file) == (None, None)


def test_with_a_mask_without_defects_it_is_not_known_where_they_are(tmp_path: Path) -> None:
    found = read_mask(masked(tmp_path, np.zeros((3, 4), np.uint8)), (3, 4))
    assert found.inside is None
    assert found.file is not None
    assert (found.file.size, found.file.defect_pixels) == ((3, 4), 0)


@pytest.mark.parametrize("content", [None, b"", b"no picture", b"\x89PNG\r\n\x1a\n\0\0", "folder"])
def test_a_mask_that_is_missing_or_damaged_is_refused_by_name(tmp_path: Path, content: bytes | str | None) -> None:
    mask = tmp_path / "gone.png"
    if isinstance(content, bytes):
        mask.write_bytes(content)
    elif content:
        mask.mkdir()
    with pytest.raises(InvalidDataset, match=r"the mask .*gone\.png cannot be read: \w"):
        read_mask(LabelledPicture(tmp_path / "a.png", "cut", mask), (3, 4))


def test_a_mask_with_too_many_pixels_is_refused_by_its_header(tmp_path: Path) -> None:
    mask = tmp_path / "bomb.png"
    Image.new("1", (2**14, 2**12 + 4)).save(mask)
    with pytest.raises(InvalidDataset, match=f"limit is {MAX_PIXELS:,}"):
        read_mask(LabelledPicture(tmp_path / "a.png", "cut", mask), (2**12, 2**10 + 1))
