import io

import numpy as np
import pytest
import torch
from PIL import Image

from app.decoding import decode
from app.decoding.pixels import to_tensor


def test_premultiplied_grey_is_composited_over_white() -> None:
    image = Image.frombytes("La", (2, 1), bytes([50, 100, 0, 0]))
    half, nothing = to_tensor(image, 1).flatten().tolist()
    assert abs(half - (50 + 255 - 100)) <= 1
    assert nothing == 255


@pytest.mark.parametrize("size", [(1024, 1024), (1024, 1025), (700, 2000)])
def test_pixels_are_the_same_in_one_band_and_in_several(size: tuple[int, int]) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    found = to_tensor(Image.fromarray(pixels), 1)
    assert np.array_equal(found.permute(1, 2, 0).numpy(), pixels)


@pytest.mark.gpu
def test_pixels_are_in_pinned_memory_on_request() -> None:
    file = io.BytesIO()
    Image.new("RGB", (40, 30), "red").save(file, "PNG")
    found = decode(file.getvalue(), max_pixels=2000, pinned=True)
    assert found.is_pinned()
    assert torch.equal(found, decode(file.getvalue(), max_pixels=2000))
