"""Points in rows and columns: the centres of pixels, or of cells."""

from dataclasses import dataclass
from typing import Self

Size = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Lattice:
    """A part of the points of a picture; a point belongs to the zone in which it lies.

    rows, columns: the numbers of the points, counted in the whole picture
    pitch: the (height, width) between points, as shares of the picture's height and width
    """

    rows: range
    columns: range
    pitch: tuple[float, float]

    @classmethod
    def of_pixels(cls, rows: range, columns: range, size: Size) -> Self:
        """The centres of these pixels of a picture of `size`, (height, width)."""
        return cls(rows, columns, (1 / size[0], 1 / size[1]))

    @classmethod
    def of_cells(cls, rows: range, columns: range, size: Size, cells_per_pixel: tuple[float, float]) -> Self:
        """The centres of these cells of a picture of `size`; a pixel measures (height, width) `cells_per_pixel`."""
        down, across = (1 / (edge * cells) for edge, cells in zip(size, cells_per_pixel, strict=True))
        return cls(rows, columns, (down, across))

    @property
    def size(self) -> Size:
        """The number of rows, and of columns."""
        return len(self.rows), len(self.columns)
