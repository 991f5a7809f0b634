"""Tags of a TIFF can lie about anything; the cost stays within that of an ordinary picture of its size."""

import struct
import zlib
from collections.abc import Sequence

import numpy as np
import pytest

from app.decoding import decode, read_header
from app.errors import DamagedImage, TesseraError, TooManyPixels, UnsupportedImage
from tests.decoding.tiff_writing import TiffLayout, file_of, write_tiff

GREY = np.arange(64 * 64, dtype=np.uint8).reshape(64, 64, 1)
PIXELS = zlib.compress(bytes(64 * 64))


def page(segments: list[bytes], **tags: Sequence[int]) -> bytes:
    """64 x 64 deflated grey in one strip; a tag is given as `t256=[8000]`."""
    sizes = [len(each) for each in segments]
    plain = {256: [64], 257: [64], 258: [8], 259: [8], 262: [1], 277: [1], 278: [64], 273: [0], 279: sizes}
    return file_of({**plain, **{int(name[1:]): values for name, values in tags.items()}}, segments, 273)


def test_a_strip_that_unpacks_to_more_than_its_size_is_cut() -> None:
    assert decode(page([zlib.compress(bytes(2**24))]), max_pixels=10_000).shape == (1, 64, 64)


def test_a_strip_that_unpacks_to_less_than_its_size_is_damaged() -> None:
    with pytest.raises(DamagedImage):
        decode(page([PIXELS], t256=[640], t257=[640], t278=[640]), max_pixels=10**6)


@pytest.mark.parametrize("counts", [None, [0], [2**31], [1]])
def test_wrong_byte_counts_of_uncompressed_strips_do_not_matter(counts: list[int] | None) -> None:
    data = write_tiff(GREY, TiffLayout(rows_per_strip=64, tags={279: counts}))
    assert np.array_equal(decode(data, max_pixels=10_000)[0], GREY[..., 0])


@pytest.mark.parametrize("position", [2**31, 300])
def test_positions_of_strips_beyond_the_file_are_damage(position: int) -> None:
    with pytest.raises(DamagedImage):
        decode(page([PIXELS[:20]], t259=[1], t273=[position]), max_pixels=10_000)


def test_fewer_strips_than_rows_need_are_damage() -> None:
    with pytest.raises(DamagedImage, match="StripOffsets"):
        decode(page([PIXELS], t278=[1]), max_pixels=10_000)


def test_more_positions_than_strips_are_passed_over() -> None:
    assert decode(page([PIXELS] * 5000, t273=[0] * 5000), max_pixels=10_000).shape == (1, 64, 64)


@pytest.mark.parametrize(
    ("tags", "error"),
    [
        ({"t257": [2_000_000], "t278": [1]}, UnsupportedImage),  # strips
        (
            {
                "t262": [2],
                "t338": [0] * 13,
                "t258": [64] * 16,
                "t277": [16],
                "t339": [3] * 16,
                "t256": [5000],
                "t257": [5000],
            },
            TooManyPixels,
        ),  # bytes
        ({"t262": [6], "t258": [8] * 3, "t277": [3], "t273": [9] * 5000}, UnsupportedImage),  # positions for Pillow
    ],
)
def test_costs_beyond_those_of_the_picture_are_refused_from_the_header(
    tags: dict[str, list[int]], error: type[TesseraError]
) -> None:
    with pytest.raises(error):
        read_header(page([PIXELS], **tags), max_pixels=2**27)


def test_strips_that_share_the_whole_file_are_damage() -> None:
    counts = [60_000] * 64
    with pytest.raises(DamagedImage, match="more bytes"):
        decode(page([bytes(60_000)], t278=[1], t273=[500] * 64, t279=counts), max_pixels=10_000)


def chain(pages: int, following: int) -> bytes:
    """Thumbnails, the last of which names the position `following` as the next page."""
    data = b"II*\0" + struct.pack("<I", 8)
    for index in range(pages):
        following_here = following if index == pages - 1 else len(data) + 18
        data += struct.pack("<HHHIII", 1, 254, 4, 1, 1, following_here)
    return data


@pytest.mark.parametrize(("pages", "following", "error"), [(1, 8, DamagedImage), (5000, 0, UnsupportedImage)])
def test_cycles_and_thousands_of_pages_end(pages: int, following: int, error: type[TesseraError]) -> None:
    for read in (read_header, decode):
        with pytest.raises(error):
            read(chain(pages, following), max_pixels=10_000)


def test_a_directory_of_very_many_tags_is_damaged() -> None:
    data = b"II*\0" + struct.pack("<IH", 8, 65535) + bytes(12 * 65535 + 4)
    with pytest.raises(DamagedImage):
        read_header(data, max_pixels=10_000)
