"""Bounds the boxes of an AVIF (ISO/IEC 14496-12) before the decoder parses them.

libavif searches all earlier items for each item, so that the time is quadratic in the size of the tables of items.
"""

import struct
from collections.abc import Iterator

from app.errors import UnsupportedImage

_MAX_BOXES = 4096
_MAX_TABLE_BYTES = 1 << 15  # of one table of items: a picture of 1000 tiles takes 21 KB
_MAX_MOVIE_BYTES = 1 << 22  # the tables of an animation
_CONTAINERS = {b"meta": 12, b"iprp": 8, b"ipco": 8}  # and the bytes before their first box
_TABLES = (b"iloc", b"iinf", b"iref", b"ipma")


def check_boxes(data: bytes) -> None:
    """Raises `UnsupportedImage` for too many boxes, or a table that is larger than a picture needs."""
    for number, (kind, size) in enumerate(_boxes(data, 0, len(data))):
        limit = _MAX_TABLE_BYTES if kind in _TABLES else _MAX_MOVIE_BYTES if kind == b"moov" else size
        if number >= _MAX_BOXES or size > limit:
            name = kind.decode("ascii", "backslashreplace")
            state = f"a box {name} of {size:,} bytes, the limit is {limit:,}" if size > limit else "too many boxes"
            raise UnsupportedImage(
                f"This variant of AVIF is not read: it has {state} (at most {_MAX_BOXES:,} boxes); "
                "save it again as one picture"
            )


def _boxes(data: bytes, start: int, end: int) -> Iterator[tuple[bytes, int]]:
    """Type and size of each box, and of the boxes in those that contain properties and tables."""
    while start + 8 <= end:
        size, kind = struct.unpack_from(">I4s", data, start)
        if size == 1 and start + 16 <= end:
            (size,) = struct.unpack_from(">Q", data, start + 8)
        size = min(size or end - start, end - start)
        if size < 8:
            return
        yield kind, size
        if kind in _CONTAINERS:
            yield from _boxes(data, start + _CONTAINERS[kind], start + size)
        start += size
