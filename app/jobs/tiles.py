"""Tiles of the pyramids of finished pictures, for viewers."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from app.errors import JobNotFound
from app.rendering.pyramid import TILE
from app.store import ResultFile

JPEG_QUALITY = 85


class Layer(StrEnum):
    """The pyramids of a picture: the picture with its anomalies in colour (overlay), its defects (mask), its map."""

    overlay = "overlay"
    mask = "mask"
    map = "map"


@dataclass(frozen=True, slots=True)
class Pyramid:
    """The levels of a pyramid: level 0 has the size (height, width), and each next one half of it, rounded down.

    tile: the edge of a tile in pixels
    """

    height: int
    width: int
    levels: int
    tile: int


def pyramid_of(file: ResultFile) -> Pyramid:
    """The levels of a pyramid that PyramidWriter wrote. Raises ResultsUnavailable."""
    with _level(file, 0) as image:
        return Pyramid(image.height, image.width, int(image.get("n-pages")), TILE)


def tile_of(file: ResultFile, level: int, x: int, y: int, *, lossless: bool) -> bytes:
    """The tile in column `x` and row `y` of a level, as a PNG (`lossless`) or JPEG; smaller at the lower right edges.

    Reads only the parts of the file that it needs. Raises JobNotFound if there is no such tile, or ResultsUnavailable.
    """
    found = pyramid_of(file)
    if not 0 <= level < found.levels:
        raise JobNotFound(f"there is no level {level}; the picture has {found.levels}, counted from 0")
    with _level(file, level) as image:
        columns, rows = -(-image.width // found.tile), -(-image.height // found.tile)
        if not (0 <= x < columns and 0 <= y < rows):
            raise JobNotFound(f"there is no tile {x}/{y} in level {level}, which has {columns} columns and {rows} rows")
        left, top = x * found.tile, y * found.tile
        cut = image.crop(left, top, min(found.tile, image.width - left), min(found.tile, image.height - top))
        return bytes(cut.pngsave_buffer(compression=1) if lossless else cut.jpegsave_buffer(Q=JPEG_QUALITY))


class _Reader:
    """Reads a file for libvips, whose callbacks cannot raise: `error` is why reading failed."""

    def __init__(self, file: ResultFile) -> None:
        self._file, self._position = file, 0
        self.error: Exception | None = None

    def read(self, size: int) -> bytes | None:
        end = min(self._position + size, self._file.size)
        try:
            content = self._file.read(self._position, end) if self._position < end else b""
        except Exception as error:
            self.error = error
            return None
        self._position += len(content)
        return content

    def seek(self, offset: int, whence: int) -> int:
        origin = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._file.size}[whence]
        self._position = origin + offset
        return self._position


@contextmanager
def _level(file: ResultFile, level: int) -> Iterator[Any]:
    """Yields a level of a pyramid as an image of libvips."""
    import pyvips  # an extra, and slow to import

    reader, source = _Reader(file), pyvips.SourceCustom()
    source.on_read(reader.read)
    source.on_seek(reader.seek)
    try:
        yield pyvips.Image.tiffload_source(source, page=level)
    except pyvips.Error as error:
        raise reader.error or OSError(f"a pyramid cannot be read: {error.detail}") from error
    if reader.error is not None:  # libvips may draw what it could not read as black
        raise reader.error
