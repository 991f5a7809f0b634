import pytest

from app.decoding import Header, decode, read_header
from app.errors import DamagedImage

TURNED = {"jpeg", "png", "webp", "avif", "tiff"}  # saved with EXIF orientation 6


def test_the_header_has_format_and_upright_size(samples: dict[str, bytes]) -> None:
    assert read_header(samples["bmp"], max_pixels=10_000) == Header("BMP", height=37, width=53)
    assert read_header(samples["jpeg"], max_pixels=10_000) == Header("JPEG", height=53, width=37)


def test_the_header_agrees_with_the_pixels(samples: dict[str, bytes]) -> None:
    for name, data in samples.items():
        header = read_header(data, max_pixels=10_000)
        assert (header.height, header.width) == decode(data, max_pixels=10_000).shape[1:], name
        assert (header.height, header.width) == ((53, 37) if name in TURNED else (37, 53)), name


def test_the_header_is_read_without_the_pixels(samples: dict[str, bytes]) -> None:
    data = samples["bmp"][:60]
    assert read_header(data, max_pixels=10_000).height == 37
    with pytest.raises(DamagedImage):
        decode(data, max_pixels=10_000)
