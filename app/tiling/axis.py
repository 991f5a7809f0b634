"""The tiles along one edge of a picture, as integers."""

from dataclasses import dataclass, replace
from math import ceil, exp

from app.tiling.config import Blend, PaddingFill, TilingMode


@dataclass(frozen=True, slots=True)
class Axis:
    """The tiles along one edge of a picture, or some consecutive tiles of it. Lengths and positions are in pixels.

    Its size does not depend on the number of tiles, so that the plan of a hostile picture costs nothing.

    length: the length of the picture's edge
    canvas: the length of the edge after the picture was enlarged to the grid
    tile: the length of a tile, without its halo
    origin: where the first tile begins on the canvas, without its halo
    step: the distance between the starts of neighbouring tiles
    last: where the last tile begins; less than `step` after the tile before it if it was moved
    border: the length at each end of a tile that is left out wherever another tile shows the same place
    halo: the length of the context at each end of a tile; with the mode `within`, at an edge of the picture, the
        context there is less, and that at the other end is more by as much
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
    origin: int
    step: int
    last: int
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
    def count(self) -> int:
        """The number of tiles."""
        return 1 - (self.origin - self.last) // self.step

    def start(self, index: int) -> int:
        """Where tile `index` begins on the canvas, without its halo."""
        return min(self.origin + index * self.step, self.last)

    @property
    def starts(self) -> tuple[int, ...]:
        """Where all tiles begin on the canvas, without their halo."""
        return tuple(map(self.start, range(self.count)))

    @property
    def disjoint(self) -> bool:
        """Whether tiles do not overlap, so that each cell belongs to one tile only."""
        return self.count == 1 or (self.step == self.tile and (self.last - self.origin) % self.step == 0)

    def is_off_grid(self, stride: int) -> bool:
        """Whether any tile or halo begins between two cells of a feature grid."""
        inner = self.step if self.count > 2 else 0
        return any(place % stride for place in (self.origin, inner, self.last, self.halo))

    def overlapping(self, index: int) -> int:
        """The number of the first tile that shows a pixel of tile `index`."""
        return self._first_beyond(self.start(index))

    def _last_before(self, pixel: int) -> int:
        """The number of the last tile that begins before this pixel of the canvas."""
        return self.count - 1 if self.last < pixel else (pixel - 1 - self.origin) // self.step

    def _first_beyond(self, pixel: int) -> int:
        """The number of the first tile that ends after this pixel of the canvas begins."""
        return min(max((pixel - self.tile - self.origin) // self.step + 1, 0), self.count - 1)

    def cells(self, stride: int) -> int:
        """The number of cells of these tiles' feature grid that show the picture, not only padding."""
        return ceil(min(self.last + self.tile, self.content) / stride) - self.origin // stride

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
        first = self._first_beyond(pixels.start)
        last = self._last_before(pixels.stop)
        moved = self.moved and last == self.count - 1
        return replace(self, origin=self.start(first), last=self.start(last), first=self.first + first, moved=moved)

    def shown(self, index: int) -> int:
        """The number of pixels of tile `index`, without its halo, that show the picture; they are its first pixels."""
        return min(self.tile, self.content - self.start(index))

    def window(self, index: int) -> tuple[int, int]:
        """The start and end of tile `index`, with its halo, on the canvas.

        Both may lie outside the canvas, but not with the mode `within`.
        """
        start, length = self.start(index) - self.halo, self.tile + 2 * self.halo
        if self.mode is TilingMode.within:
            start = min(max(start, 0), self.canvas - length)
        return start, start + length

    def context(self, index: int) -> int:
        """The length of the context before tile `index` in its window."""
        return self.start(index) - self.window(index)[0]

    def weights(self, stride: int, tiles: range | None = None) -> list[list[float]]:
        """The weight of each of these tiles (None: all) in each of its cells: [tiles][tile / stride].

        The weights of all tiles in a cell sum to 1. A cell within `border` of a tile's edge has weight 0, unless no
        tile shows it further inside. In that case the cell keeps its weight, because no tile has a better value. A
        moved tile has weights only in cells that no other tile has: averages of tiles that overlap otherwise than in
        training look anomalous. Blending is separable: the weight of a cell of the picture is the product of its
        weights along the two edges.
        """
        tiles = range(self.count) if tiles is None else tiles
        size, border = self.tile // stride, ceil(self.border / stride)
        shown = range(self.overlapping(tiles[0]), self._last_before(self.start(tiles[-1]) + self.tile) + 1)
        origin = self.start(shown[0]) // stride
        firsts = [self.start(number) // stride - origin for number in shown]
        inside = {first + cell for first in firsts for cell in range(border, size - border)}
        window = _gaussian(size) if self.blend is Blend.gaussian else [1.0] * size
        shares = [
            [
                window[cell] if border <= cell < size - border or first + cell not in inside else 0.0
                for cell in range(size)
            ]
            for first in firsts
        ]
        totals = [0.0] * (max(firsts) + size)
        for number, first, share in zip(shown, firsts, shares, strict=True):
            if self.moved and number == self.count - 1:
                share[:] = [0.0 if totals[first + cell] else value for cell, value in enumerate(share)]
            for cell, value in enumerate(share):
                totals[first + cell] += value
        own = slice(tiles[0] - shown[0], tiles[-1] + 1 - shown[0])
        return [
            [value / totals[first + cell] for cell, value in enumerate(share)]
            for first, share in zip(firsts[own], shares[own], strict=True)
        ]


def _gaussian(size: int) -> list[float]:
    """The Gaussian weights of a tile's cells, with a standard deviation of an eighth of the tile."""
    return [exp(-0.5 * ((cell - (size - 1) / 2) / (size / 8)) ** 2) for cell in range(size)]
