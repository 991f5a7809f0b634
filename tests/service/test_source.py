import asyncio
import io

import numpy as np
import pytest
import torch
from PIL import Image

from app.decoding import decode
from app.errors import InvalidImage, TooManyPixels
from app.service.source import Pixels, Values, opened, size_of, tensor_of

MAX_PIXELS = 10_000


def test_integers_are_kept_in_any_memory_order() -> None:
    for dtype in (np.uint8, np.uint16):
        values: Values = np.random.default_rng(0).integers(0, 256, (30, 40, 3)).astype(dtype)
        pixels = tensor_of(Pixels(values.transpose(2, 0, 1)))
        assert pixels.is_contiguous() and np.array_equal(pixels.numpy(), values.transpose(2, 0, 1))


def test_pixels_are_copied_so_that_the_body_can_be_freed() -> None:
    values = np.zeros((1, 2, 2), np.uint8)
    pixels = tensor_of(Pixels(values))
    values[:] = 7
    assert not pixels.any()


@pytest.mark.parametrize("white", [1.0, 255.0, 4095.0, 65535.0])
def test_floats_are_rounded_to_16_bits(white: float) -> None:
    levels = np.arange(65536).reshape(1, 256, 256)
    values = (levels / 65535 * white).astype(np.float32)
    found = tensor_of(Pixels(values, white))
    assert found.dtype == torch.uint16 and np.array_equal(found.numpy(), levels)


def test_floats_and_a_float_tiff_are_the_same_picture() -> None:
    values = np.random.default_rng(0).random((20, 30), np.float32)
    file = io.BytesIO()
    Image.fromarray(values).save(file, "TIFF")
    expected = decode(file.getvalue(), max_pixels=MAX_PIXELS)
    assert np.array_equal(tensor_of(Pixels(values[None])).numpy(), expected.numpy())


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, -0.001, 1.001])
def test_floats_out_of_range_are_refused(value: float) -> None:
    values = np.full((3, 4, 5), 0.5, np.float32)
    values[2, 3, 4] = value
    with pytest.raises(InvalidImage):
        tensor_of(Pixels(values))


def test_sizes_are_found_and_limited_without_reading_pixels() -> None:
    endless = np.broadcast_to(np.uint8(0), (3, 2**20, 2**20))  # a byte of memory
    assert size_of(Pixels(endless[:, :20, :30]), max_pixels=MAX_PIXELS) == (20, 30)
    with pytest.raises(TooManyPixels, match=f"{MAX_PIXELS:,}"):
        size_of(Pixels(endless), max_pixels=MAX_PIXELS)
    with pytest.raises(InvalidImage, match="30 x 0"):
        size_of(Pixels(endless[:, :0, :30]), max_pixels=MAX_PIXELS)


def test_an_empty_file_is_refused() -> None:
    async def open_it() -> None:
        async with opened(b""):
            pass

    with pytest.raises(InvalidImage) as refused:
        asyncio.run(open_it())
    assert refused.value.code == InvalidImage.code
