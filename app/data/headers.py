"""What the headers of a dataset's pictures tell, before any work is done."""

from collections.abc import Sequence
from pathlib import Path

from app.data.unreadable import UnreadablePolicy
from app.decoding import Header, read_header
from app.errors import InvalidImage, TooManyPixels

MAX_PIXELS = 2**30
REFUSALS = InvalidImage, TooManyPixels, OSError
"""What reading a file's pixels or header raises if it is the file's fault."""


def read_headers(paths: Sequence[Path], unreadable: UnreadablePolicy) -> dict[Path, Header]:
    """The headers of those pictures that can be read, in order.

    A header that is right does not mean that the pixels are. Raises InvalidDataset as `unreadable` says.
    """
    found: dict[Path, Header] = {}
    reasons: dict[Path, str] = {}
    for path in paths:
        try:
            found[path] = read_header(path.read_bytes(), max_pixels=MAX_PIXELS)
        except REFUSALS as error:
            reasons[path] = reason(error)
    unreadable.meet(reasons, len(paths))
    return found


def reason(error: Exception) -> str:
    """Why a file cannot be read, without its name, which stands beside it."""
    return error.strerror or str(error) if isinstance(error, OSError) else str(error)
