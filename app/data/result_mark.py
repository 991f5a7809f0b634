"""Marks the pictures that `tessera predict` writes, so that it does not predict them when it runs again.

The name of a file alone would not do: a user's own picture may be called `a.mask.png`.
"""

import struct
import zlib
from pathlib import Path

RESULT_ENDINGS = (".overlay.png", ".mask.png")
"""The endings of the names of the pictures that `tessera predict` writes."""

_IHDR_END = 33  # bytes: the signature, and the first chunk of every PNG (PNG specification, section 11.2.1)
_TEXT = b"tEXtSoftware\0tessera predict"
_MARK = struct.pack(">I", len(_TEXT) - 4) + _TEXT + struct.pack(">I", zlib.crc32(_TEXT))


def mark_result(data: bytes) -> bytes:
    """The PNG with the mark of a result, as a text chunk after its header. The pixels are unchanged."""
    return data[:_IHDR_END] + _MARK + data[_IHDR_END:]


def is_result(path: Path) -> bool:
    """Whether the file has the name of a result, and the mark; false if it cannot be read."""
    if not path.name.endswith(RESULT_ENDINGS):
        return False
    try:
        with path.open("rb") as file:
            return file.read(_IHDR_END + len(_MARK)).endswith(_MARK)
    except OSError:
        return False
