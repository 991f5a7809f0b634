"""Strips: columns of tiles that are stitched together, so that no buffer is as wide as the picture."""

from dataclasses import dataclass

from app.tiling.axis import Axis

STRIP_PIXELS = 8192
"""The largest width of the stitched part of a strip, unless a single column of tiles is wider.

A strip computes the tiles again that overlap its left edge: with strips of this width, one tile in 64 for tiles of 256
pixels with a stride of 128, and none for pictures up to this width.
"""


@dataclass(frozen=True, slots=True)
class Strip:
    """Neighbouring columns of tiles, and the part of the canvas that is stitched from them.

    first: the number of the strip's first tile in the plan
    columns: the columns of tiles that show any pixel of the part
    left, right: the pixels of the canvas between which the part lies
    """

    first: int
    columns: range
    left: int
    right: int


def strips(x: Axis, rows: int, width: int | None) -> tuple[Strip, ...]:
    """The strips, of equal width and of at most `width` pixels, of a plan with these columns and `rows` rows of tiles.

    Every pixel of the canvas belongs to one strip, and all tiles that show it are tiles of this strip. None: one strip.
    """
    most = x.count if width is None else -(-width // x.step)
    own = -(-x.count // -(-x.count // most))  # columns that begin in the same strip
    found: list[Strip] = []
    first = 0
    for column in range(0, x.count, own):
        end = min(column + own, x.count)
        left, right = x.start(column), x.start(end) if end < x.count else x.last + x.tile
        columns = range(x.overlapping(column) if column else 0, end)
        found.append(Strip(first, columns, left, right))
        first += rows * len(columns)
    return tuple(found)
