"""Tiles of the pyramids of finished pictures, for viewers."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from app.errors import JobNotFound
from app.rendering.pyramid import TILE

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


def pyramid_of(path: Path) -> Pyramid:
    """The levels of a pyramid that PyramidWriter wrote."""
    image = _level(path, 0)
    return Pyramid(image.height, image.width, int(image.get("n-pages")), TILE)


def tile_of(path: Path, level: int, x: int, y: int, *, lossless: bool) -> bytes:
    """The tile in column `x` and row `y` of a level, as a PNG (`lossless`) or JPEG; smaller at the lower right edges.

    Raises JobNotFound if there is no such tile.
    """
    found = pyramid_of(path)
    if not 0 <= level < found.levels:
        raise JobNotFound(f"there is no level {level}; the picture has {found.levels}, counted from 0")
    image = _level(path, level)
    columns, rows = -(-image.width // found.tile), -(-image.height // found.tile)
    if not (0 <= x < columns and 0 <= y < rows):
        raise JobNotFound(f"there is no tile {x}/{y} in level {level}, which has {columns} columns and {rows} rows")
    left, top = x * found.tile, y * found.tile
    cut = image.crop(left, top, min(found.tile, image.width - left), min(found.tile, image.height - top))
    return bytes(cut.pngsave_buffer(compression=1) if lossless else cut.jpegsave_buffer(Q=JPEG_QUALITY))


def _level(path: Path, level: int) -> Any:
    import pyvips  # an extra, and slow to import

    try:
        return pyvips.Image.tiffload(str(path), page=level)
    except pyvips.Error as error:
        raise OSError(f"{path.name} cannot be read: {error.detail}") from error
