"""Reads the headers of a dataset's pictures, before any pixel is decoded."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from app.data.digests import picture_digest
from app.data.unreadable import UnreadablePolicy
from app.decoding import read_header
from app.errors import InvalidImage, TooManyPixels
from app.files import said_of_files

MAX_PIXELS = 2**30
REFUSALS = InvalidImage, TooManyPixels, OSError
"""The exceptions of reading a header or pixels that are caused by the file."""


@dataclass(frozen=True, slots=True)
class PictureFile:
    """A picture file before it is decoded: the size of the upright picture in pixels, and its `picture_digest`."""

    height: int
    width: int
    digest: str


def read_headers(
    paths: Sequence[Path], unreadable: UnreadablePolicy, known: dict[Path, PictureFile] | None = None
) -> dict[Path, PictureFile]:
    """The files of the pictures whose header can be read, in the order of `paths`.

    Files in `known` are not read again; it gets those that are read now. The pixels behind a valid header may still be
    damaged. Raises InvalidDataset as the policy `unreadable` requires.
    """
    known = {} if known is None else known
    reasons: dict[Path, str] = {}
    for path in paths:
        if path in known:
            continue
        try:
            data = path.read_bytes()
            header = read_header(data, max_pixels=MAX_PIXELS)
            known[path] = PictureFile(header.height, header.width, picture_digest(data))
        except REFUSALS as error:
            reasons[path] = reason(error)
    unreadable.apply(reasons, len(paths))
    return {path: known[path] for path in paths if path in known}


def reason(error: Exception) -> str:
    """Why a file cannot be read. Omits the file's name, because messages print the path beside the reason."""
    return said_of_files(error.strerror or str(error) if isinstance(error, OSError) else str(error))
