"""The tiles of one picture, as integers."""

from dataclasses import dataclass, replace
from itertools import pairwise
from math import ceil, exp

from app.errors import InvalidTiling
from app.tiling.config import Blend, PaddingFill, Size, Tiling, TilingMode


@dataclass(frozen=True, slots=True)
class Axis:
    """The tiles along one edge of a picture, or some consecutive tiles of it. Lengths and positions are in pixels.

    length: the length of the picture's edge
    canvas: the length of the edge after the picture was enlarged to the grid
    tile: the length of a tile, without its halo
    starts: where the tiles begin on the canvas, without their halo
    border: the length at each end of a tile that is left out wherever another tile shows the same place
    halo: the length of the context at each end of a tile
    mode: how the tiles were fitted to the picture
    blend: the weights of overlapping tiles
    fill: what tiles and halos contain outside the picture
    tiled: whether tiling is enabled; False: the whole picture is one tile
    moved: whether the last tile was moved inward, off the grid of the other tiles
    first: the number of the first of these tiles among all tiles along the edge
    """

    length: int
    canvas: int
    tile: int
    starts: tuple[int, ...]
    border: int
    halo: int
    mode: TilingMode
    blend: Blend
    fill: PaddingFill = PaddingFill.zeros
    tiled: bool = True
    moved: bool = False
    first: int = 0

    @property
    def content(self) -> int:
        """The length of the canvas that shows the picture: the whole canvas if the picture was stretched."""
        return self.canvas if self.mode is TilingMode.interpolation else self.length

    @property
    def origin(self) -> int:
        """Where the first tile begins on the canvas."""
        return self.starts[0]

    @property
    def disjoint(self) -> bool:
        """Whether tiles do not overlap, so that each cell belongs to one tile only."""
        return all(after - before == self.tile for before, after in pairwise(self.starts))

    def cells(self, stride: int) -> int:
        """The number of cells of these tiles' feature grid that show the picture, not only padding."""
        return ceil(min(self.starts[-1] + self.tile, self.content) / stride) - self.origin // stride

    def all_cells(self, stride: int) -> int:
        """The number of cells of the whole picture's feature grid, also outside these tiles."""
        return ceil(self.content / stride)

    def cells_per_pixel(self, stride: int) -> float:
        """The size of a pixel of the picture in cells of a feature grid.

        It is exactly 1 / stride, unless the picture was stretched, or is not tiled and its last cell is cut off.
        """
        return (
            1 / stride
            if self.tiled and self.mode is not TilingMode.interpolation
            else self.all_cells(stride) / self.length
        )

    def part(self, pixels: range) -> "Axis":
        """The tiles that show any of these pixels of the canvas."""
        own = [
            number
            for number, start in enumerate(self.starts)
            if start < pixels.stop and start + self.tile > pixels.start
        ]
        moved = self.moved and own[-1] == len(self.starts) - 1
        return replace(self, starts=self.starts[own[0] : own[-1] + 1], first=self.first + own[0], moved=moved)

    def shown(self, index: int) -> int:
        """The number of pixels of tile `index`, without its halo, that show the picture; they are its first pixels."""
        return min(self.tile, self.content - self.starts[index])

    def window(self, index: int) -> tuple[int, int]:
        """The start and end of tile `index`, with its halo, on the canvas; both may lie outside the canvas."""
        start = self.starts[index] - self.halo
        return start, start + self.tile + 2 * self.halo

    def weights(self, stride: int) -> list[list[float]]:
        """The weight of each tile in each of its cells: [tiles][tile / stride]. The weights of every cell sum to 1.

        A cell within `border` of a tile's edge has weight 0, unless no tile shows it further inside. In that case the
        cell keeps its weight, because no tile has a better value. A moved tile has weights only in cells that no other
        tile has: averages of tiles that overlap otherwise than in training look anomalous. Blending is separable: the
        weight of a cell of the picture is the product of its weights along the two edges.
        """
        size, border = self.tile // stride, ceil(self.border / stride)
        firsts = [start // stride for start in self.starts]
        inside = {first + cell for first in firsts for cell in range(border, size - border)}
        window = _gaussian(size) if self.blend is Blend.gaussian else [1.0] * size
        shares = [
            [
                window[cell] if border <= cell < size - border or first + cell not in inside else 0.0
                for cell in range(size)
            ]
            for first in firsts
        ]
        totals = [0.0] * (self.canvas // stride)
        for number, (first, share) in enumerate(zip(firsts, shares, strict=True)):
            if self.moved and number == len(firsts) - 1:
                share[:] = [0.0 if totals[first + cell] else value for cell, value in enumerate(share)]
            for cell, value in enumerate(share):
                totals[first + cell] += value
        return [
            [value / totals[first + cell] for cell, value in enumerate(share)]
            for first, share in zip(firsts, shares, strict=True)
        ]


def _gaussian(size: int) -> list[float]:
    """The Gaussian weights of a tile's cells, with a standard deviation of an eighth of the tile."""
    return [exp(-0.5 * ((cell - (size - 1) / 2) / (size / 8)) ** 2) for cell in range(size)]


@dataclass(frozen=True, slots=True)
class TilePlan:
    """The tiles of one picture: rows by columns, numbered row by row.

    A plan with a thumbnail has one more tile, the last: the whole picture at the size `thumbnail.image_size`, of which
    `thumbnail` is the plan. It has one tile, as large as the others with their halo.
    """

    y: Axis
    x: Axis
    thumbnail: "TilePlan | None" = None

    @property
    def tiled(self) -> bool:
        """Whether tiling is enabled; False: the whole picture is one tile."""
        return self.y.tiled

    @property
    def disjoint(self) -> bool:
        """Whether tiles do not overlap, so that each cell belongs to one tile only."""
        return self.y.disjoint and self.x.disjoint

    @property
    def image_size(self) -> Size:
        """The picture's `(height, width)`."""
        return self.y.length, self.x.length

    @property
    def canvas_size(self) -> Size:
        """`(height, width)` after the picture was enlarged to the grid."""
        return self.y.canvas, self.x.canvas

    @property
    def input_size(self) -> Size:
        """`(height, width)` of a tile with its halo, as the backbone sees it."""
        return self.y.tile + 2 * self.y.halo, self.x.tile + 2 * self.x.halo

    @property
    def rows(self) -> int:
        """The number of rows of tiles."""
        return len(self.y.starts)

    @property
    def columns(self) -> int:
        """The number of columns of tiles."""
        return len(self.x.starts)

    @property
    def in_grid(self) -> int:
        """The number of tiles in rows and columns, without the thumbnail."""
        return self.rows * self.columns

    @property
    def count(self) -> int:
        """The number of all tiles that the network computes."""
        return self.in_grid + (self.thumbnail is not None)

    @property
    def origin(self) -> Size:
        """Where the first tile begins on the canvas: `(top, left)`."""
        return self.y.origin, self.x.origin

    def part(self, rows: range, columns: range) -> "TilePlan":
        """The plan of the tiles that show any of these rows and columns of the canvas, numbered from 0.

        It keeps the thumbnail.
        """
        return TilePlan(self.y.part(rows), self.x.part(columns), self.thumbnail)

    def place(self, index: int) -> Size:
        """Where tile `index` begins on the canvas, without its halo: `(top, left)`."""
        row, column = divmod(index, self.columns)
        return self.y.starts[row], self.x.starts[column]

    def shown(self, index: int) -> Size:
        """`(height, width)` of the part of tile `index`, without its halo, that shows the picture."""
        row, column = divmod(index, self.columns)
        return self.y.shown(row), self.x.shown(column)

    def feature_stride(self, height: int, width: int) -> int:
        """The stride of the feature grid with `height` x `width` cells for a tile with its halo, in pixels.

        Raises InvalidTiling if tiles do not lie on such a grid.
        """
        tall, wide = self.input_size
        stride = tall // height
        if (height * stride, width * stride) != (tall, wide):
            raise InvalidTiling(f"{height} x {width} cells do not lie on a grid over tiles of {tall} x {wide} pixels")
        if any(place % stride for axis in (self.y, self.x) for place in (*axis.starts, axis.halo)):
            raise InvalidTiling(
                f"tiles do not begin on a grid of cells of {stride} pixels; use a stride of whole cells"
            )
        return stride


def starts(length: int, tile: int, stride: int) -> tuple[int, ...]:
    """Offsets of the tiles that cover `length` pixels; the last tile may reach past the end."""
    return tuple(range(0, max(length - tile, 0) + stride, stride)) if length > tile else (0,)


def covering_starts(length: int, tile: int, stride: int, grid: int) -> tuple[int, ...]:
    """Offsets of the tiles that cover `length` pixels, multiples of `grid`; the last tile ends with them.

    The last tile reaches past the end by less than `grid` pixels if its offset would not be a multiple otherwise, and
    by more only if there are fewer pixels than a tile has.
    """
    last = ceil(max(length - tile, 0) / grid) * grid
    return *range(0, last, stride), last


def plan(tiling: Tiling, height: int, width: int, grid: int = 1) -> TilePlan:
    """The tiles of a picture of `height` by `width` pixels.

    With the mode `cover`, tiles begin at multiples of `grid` pixels, which is the stride of the detector's features.
    """
    if height < 1 or width < 1:
        raise InvalidTiling(f"a picture of {height} x {width} pixels has nothing to tile")
    if not tiling.enable:
        return TilePlan(_whole(height), _whole(width))
    thumbnail = _thumbnail(tiling, height, width) if tiling.thumbnail else None
    return TilePlan(_axis(tiling, height, 0, grid), _axis(tiling, width, 1, grid), thumbnail)


def _whole(length: int) -> Axis:
    return Axis(length, length, length, (0,), 0, 0, TilingMode.padding, Blend.mean, tiled=False)


def _axis(tiling: Tiling, length: int, axis: int, grid: int) -> Axis:
    tile, stride = tiling.tile_size[axis], tiling.stride[axis]
    covers = tiling.mode is TilingMode.cover
    offsets = covering_starts(length, tile, stride, grid) if covers else starts(length, tile, stride)
    border, halo = tiling.remove_border_count, tiling.halo
    moved = offsets[-1] % stride != 0
    blend, fill = tiling.blend, tiling.padding_fill
    return Axis(length, offsets[-1] + tile, tile, offsets, border, halo, tiling.mode, blend, fill, moved=moved)


def _thumbnail(tiling: Tiling, height: int, width: int) -> TilePlan:
    """The plan of the picture's thumbnail: the largest of the picture's ratio of edges that fits into the tile.

    It lies at the top left; the rest of the tile is padding.
    """
    tall, wide = (edge + 2 * tiling.halo for edge in tiling.tile_size)
    # Of a picture with edges in the ratio of the tile's, both edges fill the tile.
    fits_height = tall * width <= wide * height
    size = (tall, _scaled(width, tall, height)) if fits_height else (_scaled(height, wide, width), wide)
    y, x = (
        Axis(length, tile, tile, (0,), 0, 0, TilingMode.padding, Blend.mean, tiling.padding_fill)
        for length, tile in zip(size, (tall, wide), strict=True)
    )
    return TilePlan(y, x)


def _scaled(length: int, numerator: int, denominator: int) -> int:
    """`length` times a ratio, rounded, at least 1."""
    return max(1, (2 * length * numerator + denominator) // (2 * denominator))
