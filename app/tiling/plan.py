"""The tiles of one picture, as integers."""

from bisect import bisect_right
from dataclasses import dataclass, field, replace
from math import ceil
from operator import attrgetter

from app.errors import InvalidTiling
from app.tiling.axis import Axis
from app.tiling.config import Blend, Size, Tiling, TilingMode
from app.tiling.strips import Strip, strips


@dataclass(frozen=True, slots=True)
class TilePlan:
    """The tiles of one picture: rows by columns, numbered strip by strip, and row by row in each strip.

    The columns are divided into strips of at most `strip_width` pixels; None: one strip. Tiles that overlap the edge
    between two strips have two numbers, and are computed twice.
    A plan with a thumbnail has one more tile, the last: the whole picture at the size `thumbnail.image_size`, of which
    `thumbnail` is the plan. It has one tile, as large as the others with their halo.
    `band` has the rows of tiles that are numbered, None: all. A picture that is computed band by band has one plan for
    each band; weights of overlapping tiles are those of the whole picture.
    """

    y: Axis
    x: Axis
    thumbnail: "TilePlan | None" = None
    strip_width: int | None = None
    band: range | None = None
    strips: tuple[Strip, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "strips", strips(self.x, len(self.own_rows), self.strip_width))

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
        """The number of rows of tiles, of all bands."""
        return self.y.count

    @property
    def own_rows(self) -> range:
        """The rows of tiles that are numbered."""
        return range(self.y.count) if self.band is None else self.band

    @property
    def columns(self) -> int:
        """The number of columns of tiles."""
        return self.x.count

    @property
    def in_grid(self) -> int:
        """The number of tiles in rows and columns, without the thumbnail; tiles of two strips count twice."""
        last = self.strips[-1]
        return last.first + len(self.own_rows) * len(last.columns)

    @property
    def count(self) -> int:
        """The number of all tiles that the network computes."""
        return self.in_grid + (self.thumbnail is not None)

    @property
    def distinct(self) -> int:
        """The number of different tiles, each counted once, with the thumbnail."""
        return self.rows * self.columns + (self.thumbnail is not None)

    @property
    def covered_size(self) -> Size:
        """`(height, width)` in pixels of the part of the canvas that the tiles cover, with their padding."""
        y, x = (axis.last + axis.tile - axis.origin for axis in (self.y, self.x))
        return y, x

    @property
    def stitched_size(self) -> Size:
        """`(height, width)` in pixels of the largest part of the canvas that is stitched at once."""
        return self.y.tile, max(strip.right - strip.left for strip in self.strips)

    @property
    def origin(self) -> Size:
        """Where the first tile begins on the canvas: `(top, left)`."""
        return self.y.origin, self.x.origin

    def part(self, rows: range, columns: range) -> "TilePlan":
        """The plan of the tiles that show any of these rows and columns of the canvas, numbered from 0.

        It keeps the thumbnail.
        """
        return TilePlan(self.y.part(rows), self.x.part(columns), self.thumbnail, self.strip_width)

    def of_band(self, rows: range) -> "TilePlan":
        """The plan of these rows of tiles, without the thumbnail; its tiles are numbered from 0."""
        return replace(self, thumbnail=None, band=rows)

    def of_thumbnail(self) -> "TilePlan":
        """The plan of no tile but the thumbnail."""
        return replace(self, band=range(0))

    def locate(self, index: int) -> tuple[Strip, int, int]:
        """The strip, row and column of tile `index`."""
        strip = self.strips[bisect_right(self.strips, index, key=attrgetter("first")) - 1]
        row, column = divmod(index - strip.first, len(strip.columns))
        return strip, self.own_rows[row], strip.columns[column]

    def place(self, index: int) -> Size:
        """Where tile `index` begins on the canvas, without its halo: `(top, left)`."""
        _, row, column = self.locate(index)
        return self.y.start(row), self.x.start(column)

    def shown(self, index: int) -> Size:
        """`(height, width)` of the part of tile `index`, without its halo, that shows the picture."""
        _, row, column = self.locate(index)
        return self.y.shown(row), self.x.shown(column)

    def context(self, index: int) -> Size:
        """`(height, width)` of the context above and to the left of tile `index` in its window."""
        _, row, column = self.locate(index)
        return self.y.context(row), self.x.context(column)

    def feature_stride(self, height: int, width: int) -> int:
        """The stride of the feature grid with `height` x `width` cells for a tile with its halo, in pixels.

        Raises InvalidTiling if tiles do not lie on such a grid.
        """
        tall, wide = self.input_size
        stride = tall // height
        if (height * stride, width * stride) != (tall, wide):
            raise InvalidTiling(f"{height} x {width} cells do not lie on a grid over tiles of {tall} x {wide} pixels")
        if any(axis.is_off_grid(stride) for axis in (self.y, self.x)):
            raise InvalidTiling(
                f"tiles do not begin on a grid of cells of {stride} pixels; use a stride of whole cells"
            )
        return stride


def last_start(length: int, tile: int, stride: int) -> int:
    """Where the last of the tiles that cover `length` pixels begins; it may reach past the end."""
    return ceil(max(length - tile, 0) / stride) * stride


def plan(tiling: Tiling, height: int, width: int, grid: int = 1, strip_width: int | None = None) -> TilePlan:
    """The tiles of a picture of `height` by `width` pixels, in strips of at most `strip_width` pixels (None: in one).

    With the modes `cover` and `within`, tiles begin at multiples of `grid` pixels: see `Tiling.grid`. With the mode
    `within`, a picture that is not longer than a window along an edge has one tile there, which ends at the next
    multiple; with a thumbnail, whose size all tiles have, it is as long as a window.
    """
    if height < 1 or width < 1:
        raise InvalidTiling(f"a picture of {height} x {width} pixels has nothing to tile")
    if not tiling.enable:
        return TilePlan(_whole(height), _whole(width))
    thumbnail = _thumbnail(tiling, height, width) if tiling.thumbnail else None
    return TilePlan(_axis(tiling, height, 0, grid), _axis(tiling, width, 1, grid), thumbnail, strip_width)


def _whole(length: int) -> Axis:
    return Axis(length, length, length, 0, length, 0, 0, 0, TilingMode.padding, Blend.mean, tiled=False)


def _axis(tiling: Tiling, length: int, axis: int, grid: int) -> Axis:
    tile, stride = tiling.tile_size[axis], tiling.stride[axis]
    border, halo = tiling.remove_border_count, tiling.halo
    blend, fill = tiling.blend, tiling.padding_fill
    whole, window = ceil(length / grid) * grid, tile + 2 * halo
    if tiling.mode is TilingMode.within and whole <= window:
        whole = window if tiling.thumbnail else whole
        return Axis(length, whole, whole, 0, whole, 0, 0, 0, tiling.mode, blend, fill)
    # A tile that is moved inward begins on the grid of features.
    last = last_start(length, tile, grid if tiling.mode.moves_tiles else stride)
    moved = last % stride != 0
    return Axis(length, last + tile, tile, 0, stride, last, border, halo, tiling.mode, blend, fill, moved=moved)


def _thumbnail(tiling: Tiling, height: int, width: int) -> TilePlan:
    """The plan of the picture's thumbnail: the largest of the picture's ratio of edges that fits into the tile.

    It lies at the top left; the rest of the tile is padding.
    """
    tall, wide = (edge + 2 * tiling.halo for edge in tiling.tile_size)
    # Of a picture with edges in the ratio of the tile's, both edges fill the tile.
    fits_height = tall * width <= wide * height
    size = (tall, _scaled(width, tall, height)) if fits_height else (_scaled(height, wide, width), wide)
    y, x = (
        Axis(length, tile, tile, 0, tile, 0, 0, 0, TilingMode.padding, Blend.mean, tiling.padding_fill)
        for length, tile in zip(size, (tall, wide), strict=True)
    )
    return TilePlan(y, x)


def _scaled(length: int, numerator: int, denominator: int) -> int:
    """`length` times a ratio, rounded, at least 1."""
    return max(1, (2 * length * numerator + denominator) // (2 * denominator))
