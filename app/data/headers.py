"""Reads the headers of a dataset's pictures, before any pixel is decoded."""

from collections.abc import Sequence
from pathlib import Path

from app.data.unreadable import UnreadablePolicy
from app.decoding import Header, read_header
from app.errors import InvalidImage, TooManyPixels

MAX_PIXELS = 2**30
REFUSALS = InvalidImage, TooManyPixels, OSError
"""The exceptions of reading a header or pixels that are caused by the file."""


def read_headers(paths: Sequence[Path], unreadable: UnreadablePolicy) -> dict[Path, Header]:
    """The headers of the pictures whose header can be read, in the order of `paths`.

    The pixels behind a valid header may still be damaged. Raises InvalidDataset as the policy `unreadable` requires.
    """
    found: dict[Path, Header] = {}
    reasons: dict[Path, str] = {}
    for path in paths:
        try:
            found[path] = read_header(path.read_bytes(), max_pixels=MAX_PIXELS)
        except REFUSALS as error:
            reasons[path] = reason(error)
    unreadable.apply(reasons, len(paths))
    return found


def reason(error: Exception) -> str:
    """Why a file cannot be read. Omits the file's name, because messages print the path beside the reason."""
    return error.strerror or str(error) if isinstance(error, OSError) else str(error)
