import numpy as np
import pytest
from PIL import Image

from app.decoding.pixels import to_array


def test_premultiplied_grey_is_composited_over_white() -> None:
    image = Image.frombytes("La", (2, 1), bytes([50, 100, 0, 0]))
    half, nothing = to_array(image, 1).flatten().tolist()
    assert abs(half - (50 + 255 - 100)) <= 1
    assert nothing == 255


@pytest.mark.parametrize("size", [(1024, 1024), (1024, 1025), (700, 2000)])
def test_pixels_are_the_same_in_one_band_and_in_several(size: tuple[int, int]) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    found = to_array(Image.fromarray(pixels), 1)
    assert np.array_equal(found.transpose(1, 2, 0), pixels)
