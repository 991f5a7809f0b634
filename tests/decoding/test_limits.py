import struct
import subprocess
import sys
import zlib
from collections.abc import Callable

import pytest

from app.decoding import decode, read_header
from app.errors import TooManyPixels, UnsupportedImage

REFUSE_AND_PRINT_GROWTH = """
import resource, sys
from app.decoding import decode, read_header
from app.errors import TooManyPixels
data = sys.stdin.buffer.read()
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for read in (read_header, decode):
    try:
        read(data, max_pixels=399_999_999)
    except TooManyPixels:
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def bomb(make_png: Callable[..., bytes], edge: int) -> bytes:
    rows = zlib.compress(bytes(edge * (1 + (edge + 7) // 8)), 9)
    return make_png(struct.pack(">IIBBBBB", edge, edge, 1, 0, 0, 0, 0), (b"IDAT", rows))


def test_400_megapixels_in_48_kilobytes_cost_no_memory(make_png: Callable[..., bytes]) -> None:
    data = bomb(make_png, 20_000)
    assert len(data) < 50_000
    command = [sys.executable, "-c", REFUSE_AND_PRINT_GROWTH]
    run = subprocess.run(command, input=data, capture_output=True, check=True, timeout=120)
    growth_kib = [int(line) for line in run.stdout.split()]
    assert len(growth_kib) == 2 and max(growth_kib) < 8 * 1024


def test_a_picture_of_exactly_the_limit_is_decoded(samples: dict[str, bytes]) -> None:
    for name, data in samples.items():
        assert decode(data, max_pixels=37 * 53).numel() > 0, name
        for read in (decode, read_header):
            with pytest.raises(TooManyPixels, match=r"1,961 .*1,960"):
                read(data, max_pixels=37 * 53 - 1)


def test_a_picture_beyond_the_limit_of_pillow_is_accepted(make_png: Callable[..., bytes]) -> None:
    assert read_header(bomb(make_png, 20_000), max_pixels=400_000_000).width == 20_000


def test_a_webp_header_is_refused_before_its_canvas_is_allocated(samples: dict[str, bytes]) -> None:
    data = bytearray(samples["webp"])
    assert data[12:16] == b"VP8X"
    data[24:30] = b"\xff\x3f\0\xff\x3f\0"
    with pytest.raises(TooManyPixels, match="16,384 x 16,384"):
        read_header(bytes(data), max_pixels=100_000_000)


def tiled_tiff(edge: int, tile: int) -> bytes:
    """A white square of `edge` pixels in one deflated tile of `tile` pixels."""
    pixels = zlib.compress(b"\xff" * tile**2)
    tags = {256: edge, 257: edge, 258: 8, 259: 8, 262: 1, 277: 1, 322: tile, 323: tile, 324: 8, 325: len(pixels)}
    directory = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    start = b"II\x2a\0" + struct.pack("<I", 8 + len(pixels))
    return start + pixels + struct.pack("<H", len(tags)) + directory + bytes(4)


def test_a_tile_larger_than_the_limit_is_refused() -> None:
    assert decode(tiled_tiff(edge=40, tile=64), max_pixels=4096).eq(255).all()
    for read in (decode, read_header):
        with pytest.raises(TooManyPixels, match="4,096 x 4,096"):
            read(tiled_tiff(edge=40, tile=4096), max_pixels=1_000_000)


def test_a_progressive_jpeg_of_very_many_scans_is_refused(samples: dict[str, bytes]) -> None:
    data = samples["jpeg progressive"]
    start = data.index(b"\xff\xda")
    end = data.index(b"\xff\xc4", start)
    scan = data[start:end]  # sends coefficients for the first time, so that it can be repeated
    for count, works in ((20, True), (100, False)):
        many = data[:end] + scan * count + data[end:]
        if works:
            assert decode(many, max_pixels=10_000).equal(decode(data, max_pixels=10_000))
            continue
        with pytest.raises(UnsupportedImage, match="100 scans"):
            read_header(many, max_pixels=10_000)


def test_run_length_bmp_is_limited_in_size(make_run_length_bmp: Callable[[int, int, bytes], bytes]) -> None:
    assert read_header(make_run_length_bmp(4096, 4096, b""), max_pixels=10**9).width == 4096
    with pytest.raises(UnsupportedImage, match=r"16,777,216 .*16,781,312"):
        read_header(make_run_length_bmp(4096, 4097, b""), max_pixels=10**9)
