"""Small files with very many parts are refused, or read at the cost of an ordinary picture, before any decoder runs."""

import io
import struct
import tracemalloc
import zlib
from collections.abc import Callable
from time import thread_time

import numpy as np
import pytest
from PIL import Image

from app.decoding import decode, read_header
from app.errors import DamagedImage, TooManyPixels, UnsupportedImage
from tests.decoding.conftest import png_of, save_as
from tests.decoding.tiff_writing import file_of

REFUSED = (UnsupportedImage, DamagedImage, TooManyPixels)
MANY = 200_000


def picture(format: str, **options: object) -> bytes:
    return save_as(Image.new("RGB", (64, 64), (120, 90, 200)), format, **options)


def jpeg(extra: bytes = b"", before_end: bytes = b"") -> bytes:
    data = picture("JPEG")
    return data[:2] + b"\xff\xe0\0\x02" + extra + data[2:-2] + before_end + data[-2:]


def segment(marker: int, content: bytes) -> bytes:
    return bytes([0xFF, marker]) + struct.pack(">H", len(content) + 2) + content


def jpeg_of_scans(count: int) -> bytes:
    data = picture("JPEG", subsampling=0)
    scans = b"".join(segment(0xDA, bytes([1, index % 3 + 1, 0, 0, 63, 0])) for index in range(count))
    return data[: data.index(b"\xff\xda")] + scans + data[-2:]


def png(*chunks: tuple[bytes, bytes]) -> bytes:
    header = struct.pack(">IIBBBBB", 64, 64, 8, 0, 0, 0, 0)
    return png_of(header, *chunks, (b"IDAT", zlib.compress(bytes(64 * 65))))


def tiff(extra: list[tuple[int, int, int, int]], count: int | None = None) -> bytes:
    """64 x 64 grey and further entries (tag, type, number, value), with 300 KB behind them."""
    tags = [(256, 4, 1, 64), (257, 4, 1, 64), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1), (273, 4, 1, 8)]
    entries = [*tags, (277, 3, 1, 1), (278, 4, 1, 64), (279, 4, 1, 4096), *extra]
    directory = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return b"II*\0" + struct.pack("<IH", 8, count or len(entries)) + directory + bytes(300_000)


def webp(chunk: bytes) -> bytes:
    body = picture("WEBP", exif=b"Exif\0\0II*\0")[8:] + chunk
    return b"RIFF" + struct.pack("<I", len(body)) + body


def avif_of_items(count: int) -> bytes:
    items = b"".join(struct.pack(">IHHH", index, 0, 0, 0) for index in range(count))
    table = b"\x02\0\0\0\x44\0" + struct.pack(">I", count) + items
    location = struct.pack(">I4s", 8 + len(table), b"iloc") + table
    data = picture("AVIF")
    return data[: int.from_bytes(data[:4], "big")] + struct.pack(">I4sI", 12 + len(location), b"meta", 0) + location


EXIF = b"II*\0\x08\0\0\0" + struct.pack("<H", 5000) + struct.pack("<HHII", 0x9000, 1, 65000, 0) * 5000
TEXT = zlib.compress(bytes(1_000_000), 9)

MAKERS: dict[str, Callable[[], bytes]] = {
    "jpeg segments": lambda: jpeg(segment(0xEF, b"") * MANY),
    "jpeg comments": lambda: jpeg(segment(0xFE, b"") * MANY),
    "jpeg fill bytes": lambda: jpeg(b"\xff" * 1_000_000),
    "jpeg bytes between segments": lambda: jpeg(b"\0" * 1_000_000),
    "jpeg exif": lambda: jpeg(segment(0xE1, b"Exif\0\0" + EXIF) * 20),
    "jpeg index of pictures": lambda: jpeg(segment(0xE2, b"MPF\0" + EXIF) * 20),
    "jpeg quantisation tables": lambda: jpeg(segment(0xDB, (b"\0" + b"\1" * 64) * 900) * 20),
    "jpeg scans": lambda: jpeg_of_scans(60_000),
    "jpeg restarts": lambda: jpeg(before_end=b"\xff\xd0" * 1_000_000),
    "jpeg segments between scans": lambda: jpeg(before_end=segment(0xFE, b"") * MANY),
    "png chunks": lambda: png(*[(b"aaAa", b"")] * MANY),
    "png data": lambda: png(*[(b"IDAT", b"")] * MANY),
    "png text": lambda: png(*[(b"zTXt", b"a\0\0" + TEXT)] * 200),
    "png palettes": lambda: png(*[(b"PLTE", bytes(768))] * 1000),
    "tiff entries": lambda: tiff([], 65535),
    "tiff counts": lambda: tiff([(40000 + index, 1, 300_000, 8) for index in range(4000)]),
    "tiff positions of bytes": lambda: tiff([(324, 1, 300_000, 8)]),
    "webp chunks": lambda: webp(b"ABCD\0\0\0\0" * MANY),
    "avif items": lambda: avif_of_items(20_000),
}


@pytest.mark.parametrize("kind", MAKERS)
def test_very_many_parts_cost_as_little_as_a_picture(kind: str) -> None:
    data = MAKERS[kind]()
    read_header(picture(kind.split()[0].upper()), max_pixels=10_000)  # imports
    tracemalloc.start()
    started = thread_time()
    try:
        assert read_header(data, max_pixels=10_000).width == 64
    except REFUSED as refusal:
        assert len(str(refusal)) < 300
    seconds, memory = thread_time() - started, tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert memory < 20e6
    assert seconds < 1  # 0.01 to 0.05 without tracing; seconds or minutes if parts are not bounded


@pytest.mark.parametrize("kind", ["jpeg segments", "jpeg scans", "png chunks", "webp chunks", "avif items"])
def test_the_refusal_names_the_limit_and_a_remedy(kind: str) -> None:
    with pytest.raises(UnsupportedImage, match=r"(?s)limit.*; save"):
        read_header(MAKERS[kind](), max_pixels=10_000)


def ordinary(kind: str) -> tuple[bytes, bytes]:
    """A file with many parts as programs write them, and the same picture without them."""
    profile = np.random.default_rng(0).bytes(3_000_000)
    grey = np.arange(256 * 256, dtype=np.uint8)
    tags = {256: [256], 257: [256], 258: [8], 259: [1], 262: [1], 277: [1]}
    plain = file_of({**tags, 278: [256], 273: [0], 279: [65536]}, [grey.tobytes()], 273)
    if kind == "tiles":
        tiles = grey.reshape(32, 8, 32, 8).transpose(0, 2, 1, 3).reshape(1024, 64)
        places = {322: [8], 323: [8], 324: [0], 325: [64] * 1024}
        return file_of({**tags, **places, 324: [0] * 1024}, [each.tobytes() for each in tiles], 324), plain
    if kind == "strips":
        rows = [each.tobytes() for each in grey.reshape(256, 256)]
        return file_of({**tags, 278: [1], 273: [0] * 256, 279: [256] * 256}, rows, 273), plain
    format = kind.split()[0].upper()
    if kind == "png data":
        whole = png()
        data = zlib.compress(bytes(64 * 65), 0)
        parts = [(b"IDAT", data[start : start + 2]) for start in range(0, len(data), 2)]
        return png_of(struct.pack(">IIBBBBB", 64, 64, 8, 0, 0, 0, 0), *parts), whole
    if kind == "jpeg segments":
        return jpeg(segment(0xE1, b"http://ns.adobe.com/xmp/extension/\0" + bytes(60_000)) * 300), picture("JPEG")
    return picture(format, icc_profile=profile), picture(format)


@pytest.mark.parametrize(
    "kind", ["tiles", "strips", "png data", "jpeg segments", "jpeg profile", "png profile", "webp profile"]
)
def test_files_of_many_parts_that_programs_write_are_read(kind: str) -> None:
    many, plain = ordinary(kind)
    assert decode(many, max_pixels=100_000).equal(decode(plain, max_pixels=100_000))
    if kind == "jpeg profile":
        assert len(Image.open(io.BytesIO(many)).info["icc_profile"]) == 3_000_000
