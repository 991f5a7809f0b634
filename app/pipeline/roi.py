"""A region of interest: a rectangle to which a prediction is restricted, and the tiles that it needs."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor
from typing import Self

from app.errors import InvalidRegion
from app.scoring import MapRule, cells_of_map, pixels_of_resized
from app.tiling import Axis, Size, TilePlan


@dataclass(frozen=True, slots=True)
class Roi:
    """A rectangle in pixels of the uploaded picture, before it is resized; not empty."""

    top: int
    left: int
    height: int
    width: int

    @classmethod
    def whole(cls, size: Size) -> Self:
        """The whole picture of this size."""
        return cls(0, 0, *size)

    @property
    def rows(self) -> range:
        """The rows of the picture in the rectangle."""
        return range(self.top, self.top + self.height)

    @property
    def columns(self) -> range:
        """The columns of the picture in the rectangle."""
        return range(self.left, self.left + self.width)

    def require_within(self, height: int, width: int) -> None:
        """Raises InvalidRegion unless the rectangle lies within a picture of this size."""
        if self.top < 0 or self.left < 0 or self.height < 1 or self.width < 1:
            raise InvalidRegion(
                f"{self._described} is no rectangle of pixels; x and y start at 0, width and height at 1"
            )
        if self.rows.stop > height or self.columns.stop > width:
            raise InvalidRegion(
                f"{self._described} reaches out of the picture, which has {width} x {height} pixels (width x height); "
                "use a rectangle within it"
            )

    @property
    def _described(self) -> str:
        return f"the region of interest x={self.left}, y={self.top}, width={self.width}, height={self.height}"


@dataclass(frozen=True, slots=True)
class View:
    """The requested rows and columns of a picture's map, at the size at which the picture is tiled."""

    rows: range
    columns: range

    @property
    def size(self) -> Size:
        return len(self.rows), len(self.columns)

    @property
    def first(self) -> Size:
        return self.rows.start, self.columns.start

    def cells(self, plan: TilePlan, stride: int) -> tuple[range, range]:
        """The rows and columns of the canvas's cells that overlap the view."""
        return _shown(plan.y, self.rows, stride), _shown(plan.x, self.columns, stride)

    def part(self, plan: TilePlan, strides: Sequence[int], rule: MapRule) -> TilePlan:
        """The tiles on which the map in the view depends, for a map that is made of cells of these strides."""
        return plan.part(_needed(plan.y, self.rows, strides, rule), _needed(plan.x, self.columns, strides, rule))


def view(roi: Roi, size: Size, tiled_size: Size) -> View:
    """The view of a region of a picture of `size`, in the picture's map of `tiled_size`."""
    pairs = zip((roi.rows, roi.columns), size, tiled_size, strict=True)
    rows, columns = (
        pixels if before == length else pixels_of_resized(pixels, length, before) for pixels, length, before in pairs
    )
    return View(rows, columns)


def _shown(axis: Axis, pixels: range, stride: int) -> range:
    scale, last = axis.cells_per_pixel(stride), axis.all_cells(stride) - 1
    first = min(floor(pixels.start * scale), last)
    return range(first, min(max(ceil(pixels.stop * scale), first + 1), last + 1))


def _needed(axis: Axis, pixels: range, strides: Sequence[int], rule: MapRule) -> range:
    """The pixels of the canvas in all cells on which these pixels of the map depend."""
    found = []
    for stride in strides:
        cells = cells_of_map(pixels, axis.length, axis.all_cells(stride), axis.cells_per_pixel(stride), rule)
        found.append((cells.start * stride, cells.stop * stride))
    return range(min(start for start, _ in found), max(stop for _, stop in found))
