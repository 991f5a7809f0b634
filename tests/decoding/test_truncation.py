"""Pictures that end early are damaged, also if the file was mended so that the decoder is content."""

import io
import struct
import zlib
from collections.abc import Callable

import imagecodecs
import numpy as np
import pytest
from PIL import Image

from app.decoding import decode, read_header
from app.decoding.tiff.directory import first_directory
from app.decoding.tiff.tags import Tag
from app.errors import DamagedImage, UnsupportedImage
from tests.decoding.conftest import png_of, save_as
from tests.decoding.tiff_writing import CODECS, file_of

PIXELS = 10**6
HEIGHT, WIDTH = 100, 150


def photo() -> Image.Image:
    noise = np.random.default_rng(0).integers(0, 60, (HEIGHT, WIDTH, 3))
    return Image.fromarray((noise + np.arange(WIDTH)[:, None]).astype(np.uint8))


def save_jpeg(image: Image.Image, **options: object) -> bytes:
    return save_as(image, "JPEG", **options)


JPEGS: dict[str, Callable[[], bytes]] = {
    "baseline": lambda: save_jpeg(photo()),
    "flat": lambda: save_jpeg(Image.new("RGB", (WIDTH, HEIGHT), (90, 90, 90))),
    "full chroma": lambda: save_jpeg(photo(), subsampling=0, optimize=True),
    "grey": lambda: save_jpeg(photo().convert("L")),
    "cmyk": lambda: save_jpeg(photo().convert("CMYK")),
    "progressive": lambda: save_jpeg(photo(), progressive=True),
    "grey progressive": lambda: save_jpeg(photo().convert("L"), progressive=True),
    "restarts": lambda: save_jpeg(photo(), restart_marker_rows=1),
    "restarts of blocks": lambda: save_jpeg(photo(), restart_marker_blocks=2),
    "progressive restarts": lambda: save_jpeg(photo(), progressive=True, restart_marker_rows=2),
    "lossless": lambda: bytes(imagecodecs.jpeg8_encode(np.asarray(photo()), lossless=True)),
    "several pictures": lambda: save_as(photo(), "MPO", save_all=True, append_images=[photo()]),
}


def by_pillow(data: bytes) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    image = Image.open(io.BytesIO(data))
    values = np.asarray(image if image.mode == "L" else image.convert("RGB"))
    return values[None] if values.ndim == 2 else values.transpose(2, 0, 1)


@pytest.mark.parametrize("kind", JPEGS)
def test_a_whole_jpeg_has_the_pixels_of_pillow(kind: str) -> None:
    data = JPEGS[kind]()
    for lenient in (False, True):
        assert np.array_equal(decode(data, max_pixels=PIXELS, lenient=lenient), by_pillow(data))


def cut_jpegs(kind: str) -> list[bytes]:
    """Cut at places within the scans, with an end marker appended, up to 80 bytes before the end."""
    data = JPEGS[kind]()
    start = data.index(b"\xff\xda") + 20
    end = data.index(b"\xff\xd9", start) - 80
    return [data[:place] + b"\xff\xd9" for place in np.linspace(start, end, 12).astype(int).tolist()]


@pytest.mark.parametrize("kind", JPEGS)
def test_a_jpeg_cut_with_an_end_marker_is_damaged(kind: str) -> None:
    for data in cut_jpegs(kind):
        with pytest.raises(DamagedImage, match="byte"):
            decode(data, max_pixels=PIXELS)


@pytest.mark.parametrize("kind", JPEGS)
def test_a_cut_jpeg_is_decoded_by_who_wants_it(kind: str) -> None:
    cut = cut_jpegs(kind)[6]
    for data in (cut, cut[:-2]):
        assert read_header(data, max_pixels=PIXELS, lenient=True).width == WIDTH
        assert decode(data, max_pixels=PIXELS, lenient=True).shape[1:] == (HEIGHT, WIDTH)
        with pytest.raises(DamagedImage):
            decode(data, max_pixels=PIXELS)


def test_arithmetic_coding_is_refused_because_its_end_cannot_be_checked() -> None:
    data = JPEGS["baseline"]().replace(b"\xff\xc0", b"\xff\xc9", 1)
    with pytest.raises(UnsupportedImage, match="arithmetic"):
        read_header(data, max_pixels=PIXELS)
    assert read_header(data, max_pixels=PIXELS, lenient=True).width == WIDTH


def test_data_that_are_missing_between_restarts_are_damage() -> None:
    data = JPEGS["restarts"]()
    first, second = data.index(b"\xff\xd1"), data.index(b"\xff\xd2")
    for without in (data[: second - 100] + data[second:], data[:first] + data[second:]):
        with pytest.raises(DamagedImage):
            decode(without, max_pixels=PIXELS)


def test_a_progressive_jpeg_without_its_last_scans_is_damaged_by_its_header() -> None:
    data = JPEGS["progressive"]()
    with pytest.raises(DamagedImage, match="scans"):
        read_header(data[: data.rindex(b"\xff\xc4")] + b"\xff\xd9", max_pixels=PIXELS)


def _mended_png() -> bytes:
    rows = zlib.compress(np.random.default_rng(0).bytes(64 * 65))
    return png_of(struct.pack(">IIBBBBB", 64, 64, 8, 0, 0, 0, 0), (b"IDAT", rows[: len(rows) // 2]))


def _mended_webp(**options: object) -> bytes:
    data = save_as(photo(), "WEBP", **options)
    half = len(data) // 4 * 2
    return data[:4] + struct.pack("<I", half - 8) + data[8:16] + struct.pack("<I", half - 20) + data[20:half]


def _strips(codec: Callable[[bytes], bytes | bytearray], number: int) -> bytes:
    rows = [bytes(codec(np.random.default_rng(index).bytes(32 * 64))) for index in range(2)]
    rows[1] = rows[1][: len(rows[1]) // 2]
    tags = {256: [64], 257: [64], 258: [8], 259: [number], 262: [1], 277: [1], 278: [32]}
    return file_of({**tags, 273: [0, 0], 279: [len(each) for each in rows]}, rows, 273) + bytes(4096)


def _jpeg_strip() -> bytes:
    data = bytearray(save_as(photo(), "TIFF", compression="jpeg"))
    page = first_directory(bytes(data))
    offset, size = page.integer(Tag.StripOffsets, 0), page.integer(Tag.StripByteCounts, 0)
    data[offset + size // 2 : offset + size] = b"\xff\xd9".ljust(size - size // 2, b"\0")
    return bytes(data)


MENDED: dict[str, Callable[[], bytes]] = {
    "png": _mended_png,
    "webp": lambda: _mended_webp(quality=90),
    "webp lossless": lambda: _mended_webp(lossless=True),
    "tiff jpeg": _jpeg_strip,
    "tiff": lambda: _strips(bytes, 1),
    "tiff lzw": lambda: _strips(CODECS[5], 5),
    "tiff deflate": lambda: _strips(zlib.compress, 8),
    "tiff packbits": lambda: _strips(CODECS[32773], 32773),
}


@pytest.mark.parametrize("kind", MENDED)
def test_data_that_are_cut_with_consistent_lengths_are_damage(kind: str) -> None:
    with pytest.raises(DamagedImage):
        decode(MENDED[kind](), max_pixels=PIXELS)
