"""Marks the pictures that `tessera predict` writes, so that it does not predict them when it runs again.

The name of a file alone would not do: a user's own picture may be called `a.mask.png`.
"""

import struct
import zlib
from pathlib import Path

from PIL.TiffImagePlugin import TiffImageFile

RESULT_ENDINGS = (".overlay.png", ".mask.png")
"""The endings of the names of the pictures that `tessera predict` writes."""

PYRAMID_ENDINGS = (".overlay.tif", ".mask.tif", ".map.tif")
"""The endings of those that it writes of large pictures."""

PYRAMID_MARK = "tessera predict"
"""The ImageDescription of those."""

_DESCRIPTION = 270  # the tag of ImageDescription (TIFF 6.0)

_IHDR_END = 33  # bytes: the signature, and the first chunk of every PNG (PNG specification, section 11.2.1)
_TEXT = b"tEXtSoftware\0tessera predict"
_MARK = struct.pack(">I", len(_TEXT) - 4) + _TEXT + struct.pack(">I", zlib.crc32(_TEXT))


def mark_result(data: bytes) -> bytes:
    """The PNG with the mark of a result, as a text chunk after its header. The pixels are unchanged."""
    return data[:_IHDR_END] + _MARK + data[_IHDR_END:]


def is_result(path: Path) -> bool:
    """Whether the file has the name of a result, and the mark; false if it cannot be read."""
    try:
        if path.name.endswith(PYRAMID_ENDINGS):
            with path.open("rb") as file, TiffImageFile(file) as picture:
                return picture.tag_v2.get(_DESCRIPTION) == PYRAMID_MARK
        if path.name.endswith(RESULT_ENDINGS):
            with path.open("rb") as file:
                return file.read(_IHDR_END + len(_MARK)).endswith(_MARK)
    except (OSError, SyntaxError):  # Pillow's for files that are no TIFF
        return False
    return False
