"""The chunks of a PNG (PNG specification, third edition, section 5).

Pillow does not verify the checksums of the pixel data, ignores a missing end, and must decode the pixels to find an
orientation that is stored after them. So this module reads the chunks itself, which takes microseconds.
"""

import struct
import zlib
from collections.abc import Iterator

from app.errors import DamagedImage

_SIGNATURE_BYTES = 8
_CHUNK = struct.Struct(">I4s")  # length of the content, type; then the content and its CRC, 4 bytes
_CRC = struct.Struct(">I")


def chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Yields type, start and end of the content of each chunk up to IEND; raises `DamagedImage` if IEND is missing."""
    offset = _SIGNATURE_BYTES
    while offset + _CHUNK.size <= len(data):
        length, kind = _CHUNK.unpack_from(data, offset)
        start = offset + _CHUNK.size
        offset = start + length + _CRC.size
        if offset > len(data):
            break
        yield kind, start, start + length
        if kind == b"IEND":
            return
    raise DamagedImage(f"The PNG is truncated: it ends after {len(data):,} bytes, before its IEND; send the whole file")


def verify(data: bytes) -> None:
    """Raises `DamagedImage` unless every chunk matches its CRC."""
    view = memoryview(data)
    for kind, start, end in chunks(data):
        if zlib.crc32(view[start - len(kind) : end]) != _CRC.unpack_from(data, end)[0]:
            name = kind.decode("ascii", "backslashreplace")
            raise DamagedImage(f"The PNG is corrupt: wrong checksum of {name} at byte {start}; send the file again")


def exif(data: bytes) -> bytes:
    """The content of the eXIf chunk, at any place in the file; empty if there is none."""
    return next((data[start:end] for kind, start, end in chunks(data) if kind == b"eXIf"), b"")
