"""The chunks of a PNG (PNG specification, third edition, section 5).

Pillow sees only the chunks that determine the pixels: it would unpack compressed text and profiles, and take
milliseconds for a thousand empty chunks. It does not verify the checksums of the pixel data, ignores a missing end, and
must decode the pixels to find an orientation that is stored after them. So this module reads the chunks itself.
"""

import struct
import zlib
from collections.abc import Iterator
from typing import IO, cast

from app.decoding.parts import Parts
from app.errors import DamagedImage, UnsupportedImage

_SIGNATURE_BYTES = 8
_CHUNK = struct.Struct(">I4s")  # length of the content, type; then the content and its CRC, 4 bytes
_CRC = struct.Struct(">I")
_FREE_CHUNKS = 4096
_BYTES_PER_CHUNK = 1024  # libpng writes pixels in chunks of 8192 bytes
_MAX_COLOUR_BYTES = 768  # of a palette; its transparency takes less
_HEAD = (b"IHDR", b"PLTE", b"tRNS")
_END = b"\0\0\0\0IEND\xaeB`\x82"


def chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Yields type, start and end of the content of each chunk up to IEND.

    Raises `DamagedImage` if IEND is missing, and `UnsupportedImage` for more chunks than a file of this size needs.
    """
    offset = _SIGNATURE_BYTES
    limit = _FREE_CHUNKS + len(data) // _BYTES_PER_CHUNK
    number = 0
    while offset + _CHUNK.size <= len(data):
        number += 1
        if number > limit:
            raise UnsupportedImage(
                f"The PNG has more than {limit:,} chunks, the limit for its {len(data):,} bytes; "
                "save it again with larger chunks, without metadata"
            )
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


def pixel_chunks(data: bytes) -> IO[bytes]:
    """A PNG of the chunks that determine the pixels: header, palette, transparency and data.

    Raises `DamagedImage` for a palette that is too large, and if the data are missing.
    """
    head = [data[:_SIGNATURE_BYTES]]
    first, last = 0, 0
    for kind, start, end in chunks(data):
        chunk_start, chunk_end = start - _CHUNK.size, end + _CRC.size
        if kind == b"IDAT":
            if last not in (0, chunk_start):
                break  # all data are in consecutive chunks
            first, last = first or chunk_start, chunk_end
        elif kind in _HEAD and not first:
            if end - start > _MAX_COLOUR_BYTES or len(head) > len(_HEAD):
                raise DamagedImage(
                    f"The PNG is corrupt: a chunk {kind.decode()} of {end - start:,} bytes at byte {start:,}, the "
                    f"limit is {_MAX_COLOUR_BYTES}, and one of each kind; save the picture anew"
                )
            head.append(data[chunk_start:chunk_end])
    if not first:
        raise DamagedImage("The PNG is truncated or corrupt: it has no pixels (IDAT); send the whole file")
    return cast("IO[bytes]", Parts([b"".join(head), memoryview(data)[first:last], _END]))


def exif(data: bytes) -> bytes:
    """The content of the eXIf chunk, at any place in the file; empty if there is none."""
    return next((data[start:end] for kind, start, end in chunks(data) if kind == b"eXIf"), b"")
