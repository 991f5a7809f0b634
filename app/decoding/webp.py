"""Reads the canvas size of a WebP (RFC 9649) without the decoder, which would allocate the canvas on creation.

The decoder also lists all chunks and frames on creation, and copies the metadata, so that these are bounded here.
"""

import struct

from app.errors import UnsupportedImage

_MAX_CHUNKS = 4096  # each frame of an animation is one
_MAX_METADATA_BYTES = 1 << 24
_PIXELS = (b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ANIM", b"ANMF")


def check_chunks(data: bytes) -> None:
    """Raises `UnsupportedImage` for too many chunks, or too many bytes of metadata."""
    position, number, metadata = 12, 0, 0
    while position + 8 <= len(data):
        kind, size = struct.unpack_from("<4sI", data, position)
        number += 1
        metadata += 0 if kind in _PIXELS else size
        if number > _MAX_CHUNKS or metadata > _MAX_METADATA_BYTES:
            raise UnsupportedImage(
                f"The WebP has more than {_MAX_CHUNKS:,} chunks or {_MAX_METADATA_BYTES:,} bytes of metadata, "
                "the limits; save the first frame again, without metadata"
            )
        position += 8 + size + size % 2


def canvas_size(data: bytes) -> tuple[int, int] | None:
    """`(height, width)` of the canvas; None if the header is of none of WebP's three kinds."""
    kind, header = data[12:16], data[20:30]
    if len(header) < 10:
        return None
    if kind == b"VP8X":
        width, height = (int.from_bytes(header[start : start + 3], "little") + 1 for start in (4, 7))
    elif kind == b"VP8L":
        (bits,) = struct.unpack_from("<I", header, 1)
        width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    elif kind == b"VP8 ":
        width, height = (edge & 0x3FFF for edge in struct.unpack_from("<HH", header, 6))
    else:
        return None
    return height, width
