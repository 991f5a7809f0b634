"""Reads the canvas size of a WebP (RFC 9649) without the decoder, which would allocate the canvas on creation."""

import struct


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
