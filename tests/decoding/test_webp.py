from collections.abc import Callable

import pytest
from PIL import Image

from app.decoding.webp import canvas_size


@pytest.mark.parametrize("options", [{}, {"lossless": True}, {"exif": b"Exif\0\0"}, {"save_all": True}])
@pytest.mark.parametrize("size", [(1, 1), (53, 37), (300, 16383)])
def test_the_canvas_size_is_that_of_the_picture(
    size: tuple[int, int], options: dict[str, object], save: Callable[..., bytes]
) -> None:
    data = save(Image.new("RGB", size, "red"), "WEBP", **options)
    assert canvas_size(data) == size[::-1]


def test_a_truncated_or_unknown_header_has_no_size(samples: dict[str, bytes]) -> None:
    assert canvas_size(samples["webp"][:29]) is None
    assert canvas_size(samples["webp"][:12] + b"VP9 " + samples["webp"][16:]) is None
