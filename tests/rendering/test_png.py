import io

import numpy as np
import pytest
from PIL import Image

from app.rendering.png import write_png


@pytest.mark.parametrize("size", [(1, 1), (1, 5), (5, 1), (37, 53), (700, 900)])
@pytest.mark.parametrize("channels", [1, 3])
def test_pillow_reads_back_what_was_written(channels: int, size: tuple[int, int]) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (channels, *size), np.uint8)
    image = Image.open(io.BytesIO(write_png(pixels)))
    assert image.mode == {1: "L", 3: "RGB"}[channels]
    np.testing.assert_array_equal(np.asarray(image).reshape(*size, channels).transpose(2, 0, 1), pixels)


@pytest.mark.parametrize("size", [(1, 1), (37, 53), (700, 900)])
def test_grey_of_16_bits_is_read_back(size: tuple[int, int]) -> None:
    pixels = np.random.default_rng(0).integers(0, 65536, (1, *size), np.uint16)
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(write_png(pixels)))), pixels[0])


def test_every_chunk_has_the_right_checksum() -> None:
    image = Image.open(io.BytesIO(write_png(np.zeros((3, 2000, 500), np.uint8))))
    image.verify()


def test_pixels_in_any_memory_order_are_written() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
    assert write_png(pixels.transpose(2, 0, 1)) == write_png(np.ascontiguousarray(pixels.transpose(2, 0, 1)))


def test_what_is_smooth_becomes_small() -> None:
    ramp = np.broadcast_to(np.arange(1024, dtype=np.uint8), (3, 1024, 1024))
    assert len(write_png(ramp)) < ramp.size / 100
