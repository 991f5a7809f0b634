"""Blocks: rectangles of a picture that are measured on their own, in any order, and how much of a picture they show.

The blocks divide the cells of the picture. A block needs all tiles that show any of its cells: where tiles overlap,
those at its edge are computed by its neighbour as well. A pixel of the map depends on the cells around it, because the
map is enlarged and blurred. So a pixel was looked at if all blocks that have these cells were measured, and its value
is then the same as in the map of the whole picture.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from math import ceil, sqrt
from typing import Self

import numpy as np
from numpy.typing import NDArray

from app.errors import PartialUnsupported
from app.pipeline.model import TiledModel
from app.pipeline.roi import Roi
from app.scoring import MapRule, cells_of_map, pixels_of_cells
from app.tiling import Axis, Size, TilePlan, TilingMode

LEAST_TILES, USUAL_TILES, MOST_TILES = 2, 4, 8
"""The smallest, the usual and the largest number of tiles along the edge of a block, without those that its neighbours
have, too.

With a stride of half a tile, blocks of 2 x 2 tiles compute 9 tiles, of 4 x 4 tiles 25, and of 8 x 8 tiles 81.
"""
BLOCKS_IN_TIME = 12
"""The number of blocks, without the tiles of their neighbours, for which the time should suffice.

Larger blocks compute fewer tiles twice; with smaller ones, more of the time goes to suspicious places. So many blocks
found most defects in all limits from a tenth to one and a half of the time of the whole picture
(`benchmarks/partial.py`).
"""


@dataclass(frozen=True, slots=True)
class Block:
    """A rectangle of the canvas, in whole cells, and the tiles that show any of it.

    rows, columns: in pixels of the canvas
    plan: the tiles, as a part of the picture's plan
    shown: the rectangle of the picture that depends on the block's cells; it overlaps those of neighbouring blocks
    counted: the rectangle of the picture whose cells count for the score; empty if the block lies beside the region of
        interest
    """

    rows: range
    columns: range
    plan: TilePlan
    shown: Roi
    counted: Roi


@dataclass(frozen=True, slots=True)
class Coverage:
    """How much of a picture, or of its region of interest, was looked at.

    share: the share of its pixels, in [0, 1]
    unseen: disjoint rectangles of the picture that contain all other pixels, and no pixel that was looked at
    tiles: the number of tiles that the network computes to look at all of it
    tiles_done: the number of these tiles that were computed
    """

    share: float
    unseen: tuple[Roi, ...]
    tiles: int
    tiles_done: int

    @classmethod
    def whole(cls, tiles: int) -> Self:
        """That of a picture that was looked at completely, in so many tiles."""
        return cls(1.0, (), tiles, tiles)

    @property
    def complete(self) -> bool:
        """Whether all was looked at."""
        return not self.unseen


def require_partial(model: TiledModel) -> None:
    """Raises PartialUnsupported for a model whose pictures cannot be divided into blocks."""
    tiling = model.tiling
    if not tiling.enable:
        why = "is not tiled, so that it sees a picture at once"
    elif tiling.thumbnail:
        why = "compares each picture as a whole by its thumbnail"
    elif model.preprocessing.image_size is not None:
        why = "resizes each picture as a whole"
    elif tiling.mode is TilingMode.interpolation:
        why = "stretches each picture as a whole (tiling mode interpolation)"
    else:
        return
    raise PartialUnsupported(
        f"partial is true, and the model {why}; leave out partial, or use a model with tiles of the picture as it is"
    )


class BlockGrid:
    """The blocks of a picture, in rows and columns, or of the tiles that a region of interest needs.

    plan: the plan of the picture or region
    roi: the region of interest; None: the whole picture
    edges: the largest `(rows, columns)` of tiles of a block, without those of its neighbours; see `edge_tiles`
    """

    def __init__(
        self, model: TiledModel, plan: TilePlan, roi: Roi | None = None, edges: Size = (USUAL_TILES, USUAL_TILES)
    ) -> None:
        self.plan, self._seen = plan, roi or Roi.whole(plan.image_size)
        strides, rule = model.detector.map_strides, model.detector.map_rule
        down = _spans(plan.y, self._seen.rows, strides, rule, edges[0])
        across = _spans(plan.x, self._seen.columns, strides, rule, edges[1])
        self.blocks = tuple(
            Block(
                rows,
                columns,
                plan.part(rows, columns),
                _rectangle(shown_rows, shown_columns),
                _rectangle(_common(rows, self._seen.rows), _common(columns, self._seen.columns)),
            )
            for rows, shown_rows in down
            for columns, shown_columns in across
        )

    @property
    def tiles(self) -> int:
        """The number of tiles of all blocks; tiles of several blocks are computed as often."""
        return sum(block.plan.count for block in self.blocks)

    def coverage(self, done: Collection[Block]) -> Coverage:
        """How much is looked at once these blocks are measured."""
        missing = [block.shown for block in self.blocks if block not in done]
        unseen = tuple(disjoint(missing))
        area = sum(each.height * each.width for each in unseen)
        share = 1 - area / (self._seen.height * self._seen.width)
        return Coverage(share, unseen, self.tiles, sum(block.plan.count for block in self.blocks if block in done))


def edge_tiles(tiles_in_time: float | None) -> int:
    """The number of tiles along the edge of a block, if about so many tiles can be computed in time; None: unknown."""
    if tiles_in_time is None:
        return USUAL_TILES
    return min(max(round(sqrt(tiles_in_time / BLOCKS_IN_TIME)), LEAST_TILES), MOST_TILES)


def disjoint(rectangles: Sequence[Roi]) -> Iterator[Roi]:
    """Disjoint rectangles with the same pixels as these, from top to bottom, then from left to right."""
    rows = sorted({edge for each in rectangles for edge in (each.rows.start, each.rows.stop)})
    columns = sorted({edge for each in rectangles for edge in (each.columns.start, each.columns.stop)})
    found = np.zeros((len(rows), len(columns)), np.bool_)  # the last of each begin beyond all rectangles
    for each in rectangles:
        down = slice(rows.index(each.rows.start), rows.index(each.rows.stop))
        found[down, columns.index(each.columns.start) : columns.index(each.columns.stop)] = True
    top = 0
    while top < len(rows):
        end = top + 1
        while end < len(rows) and (found[end] == found[top]).all():
            end += 1
        for left, right in _runs(found[top]):
            yield _rectangle(range(rows[top], rows[end]), range(columns[left], columns[right]))
        top = end


def _runs(values: NDArray[np.bool_]) -> Iterator[tuple[int, int]]:
    """The (first, end) of each run of true values."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], values, [False]]).astype(np.int8)))
    yield from zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)


@lru_cache(maxsize=64)
def _spans(
    axis: Axis, seen: range, strides: tuple[int, ...], rule: MapRule, edge: int
) -> tuple[tuple[range, range], ...]:
    """The blocks along an edge: the pixels of the canvas that each has, and the pixels of `seen` that depend on these.

    Leaves out blocks on which no pixel of `seen` depends.
    """
    blocks = ceil(axis.count / edge)
    cuts = [axis.start(round(number * axis.count / blocks)) for number in range(blocks)]
    cuts.append(min(axis.last + axis.tile, axis.content))
    firsts = [seen.start, *(_first_after(axis, seen, cut, strides, rule) for cut in cuts[1:-1])]
    ends = [*(_end_before(axis, seen, cut, strides, rule) for cut in cuts[1:-1]), seen.stop]
    own = zip(pairwise(cuts), firsts, ends, strict=True)
    return tuple((range(*cut), range(first, end)) for cut, first, end in own if first < end)


def _first_after(axis: Axis, seen: range, cut: int, strides: Sequence[int], rule: MapRule) -> int:
    """The first of these pixels that depends on a cell after the cut."""
    return min(
        pixels_of_cells(seen, axis.length, axis.all_cells(stride), axis.cells_per_pixel(stride), rule, cut // stride)
        for stride in strides
    )


def _end_before(axis: Axis, seen: range, cut: int, strides: Sequence[int], rule: MapRule) -> int:
    """The end of those of these pixels that depend on a cell before the cut."""
    low, high = seen.start, seen.stop
    while low < high:
        middle = (low + high) // 2
        if _depends_before(axis, middle, cut, strides, rule):
            low = middle + 1
        else:
            high = middle
    return low


def _depends_before(axis: Axis, pixel: int, cut: int, strides: Sequence[int], rule: MapRule) -> bool:
    own = range(pixel, pixel + 1)
    return any(
        cells_of_map(own, axis.length, axis.all_cells(stride), axis.cells_per_pixel(stride), rule).start < cut // stride
        for stride in strides
    )


def _common(first: range, second: range) -> range:
    return range(max(first.start, second.start), min(first.stop, second.stop))


def _rectangle(rows: range, columns: range) -> Roi:
    return Roi(rows.start, columns.start, len(rows), len(columns))
