from collections.abc import Callable

import pytest
from PIL import Image

from app.decoding import decode, read_header
from app.decoding.formats import FORMATS, identify
from app.errors import UnsupportedImage


def test_each_format_is_recognised_by_its_first_bytes(samples: dict[str, bytes]) -> None:
    named = {"jpeg": "JPEG", "png": "PNG", "webp": "WebP", "bmp": "BMP", "tiff": "TIFF", "avif": "AVIF"}
    for name, data in samples.items():
        assert identify(data) == named[name.split()[0]], name


@pytest.mark.parametrize("format", ["GIF", "ICO", "PDF", "EPS", "PPM", "TGA", "JPEG2000", "PCX"])
def test_other_picture_formats_are_refused_with_the_supported_ones(
    format: str, photo: Image.Image, save: Callable[..., bytes]
) -> None:
    data = save(photo, format)
    for read in (decode, read_header):
        with pytest.raises(UnsupportedImage) as refusal:
            read(data, max_pixels=10_000)
        assert all(name in str(refusal.value) for name in FORMATS)


@pytest.mark.parametrize(
    "data",
    [b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"hello", b"\0" * 1000, b"RIFF\0\0\0\0WAVEfmt ", b"\xff\xd8", b"P"],
)
def test_bytes_that_are_not_a_picture_are_refused(data: bytes) -> None:
    with pytest.raises(UnsupportedImage, match="not a picture"):
        decode(data, max_pixels=10_000)


def test_an_empty_upload_is_refused_as_empty() -> None:
    with pytest.raises(UnsupportedImage, match="empty"):
        read_header(b"", max_pixels=10_000)


@pytest.mark.parametrize("brands", [b"heic\0\0\0\0mif1heic", b"mif1\0\0\0\0mif1heic", b"heix\0\0\0\0", b"hevc\0\0\0\0"])
def test_heic_is_refused_by_its_name_and_with_a_remedy(brands: bytes) -> None:
    data = (8 + len(brands)).to_bytes(4, "big") + b"ftyp" + brands + bytes(100)
    with pytest.raises(UnsupportedImage, match=r"HEIC .*JPEG"):
        read_header(data, max_pixels=10_000)


def test_other_media_files_are_not_pictures() -> None:
    with pytest.raises(UnsupportedImage, match="not a picture"):
        read_header((20).to_bytes(4, "big") + b"ftypisom\0\0\0\0mp42" + bytes(100), max_pixels=10_000)
