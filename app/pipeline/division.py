"""The division of a picture into rows of blocks, which several engines measure."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import groupby, pairwise
from math import ceil, sqrt
from operator import attrgetter
from typing import Protocol

from app.pipeline.blocks import Block, BlockGrid
from app.pipeline.joining import BlockPixels, MeasuredBlock
from app.pipeline.model import TiledModel
from app.pipeline.roi import Roi, view
from app.tiling import Size, TilePlan, TilingMode, rows_shown

BLOCKS_PER_ROOM = 6
"""A picture has about this many blocks for each one that is in flight, so that all engines finish at about one time."""
LEAST_EDGE, MOST_EDGE = 4, 16
"""The smallest and the largest number of tiles along the edge of a block, without those that its neighbours have, too.

With a stride of half a tile, blocks of 4 x 4 tiles compute 56 % more tiles, of 8 x 8 tiles 27 %, and of 16 x 16 13 %.
"""
ROW_PIXELS = 2**25
"""The most pixels of a row of blocks, unless a row of tiles has more."""
AHEAD_PIXELS = 2**25
"""Rows of blocks are read, and given to the engines, until so many pixels wait to be joined."""


class Division(Protocol):
    """Measures the blocks of one picture, in this process or in others."""

    @property
    def room(self) -> int:
        """About how many blocks keep all engines busy."""

    def begin(self, block: BlockPixels) -> Callable[[], MeasuredBlock]:
        """Begins to measure a block. The result waits for its end, and raises what the engines raise."""


@dataclass(frozen=True, slots=True)
class BlockRow:
    """Consecutive rows of tiles of a picture, and the blocks that have their cells.

    plan: that of the rows of tiles, see TilePlan.of_band
    blocks: from left to right; empty: the band is not divided
    """

    plan: TilePlan
    blocks: tuple[Block, ...] = ()

    @property
    def shown(self) -> range:
        """The rows of the picture that are needed; empty for a thumbnail alone."""
        shown = [rows_shown(block.plan) for block in self.blocks] or [rows_shown(self.plan)]
        return range(min(rows.start for rows in shown), max(rows.stop for rows in shown))


def block_rows(model: TiledModel, plan: TilePlan, size: Size, roi: Roi | None, room: int) -> tuple[BlockRow, ...]:
    """The blocks of a picture of this (height, width), or of a region of it, with the tiles of `plan`.

    The thumbnail, if there is one, comes first, undivided. A picture that a model sees at once is one block.

    room: see Division
    """
    seen = None
    if roi is not None:
        shown = view(roi, size, plan.image_size)
        seen = Roi(*shown.first, *shown.size)
    grid = BlockGrid(model, replace(plan, thumbnail=None), seen, _edges(model, plan, room))
    rows = [tuple(blocks) for _, blocks in groupby(grid.blocks, key=attrgetter("rows"))]
    starts = plan.y.starts
    firsts = [0, *(starts.index(blocks[0].rows.start) for blocks in rows[1:]), plan.rows]
    bands = (plan.of_band(range(*band)) for band in pairwise(firsts))
    thumbnail = [] if plan.thumbnail is None else [BlockRow(plan.of_thumbnail())]
    return (*thumbnail, *map(BlockRow, bands, rows))


def _edges(model: TiledModel, plan: TilePlan, room: int) -> Size:
    """The largest `(rows, columns)` of tiles of a block."""
    if not model.tiling.enable or model.tiling.mode is TilingMode.interpolation:
        return plan.rows, plan.columns
    tiles = plan.rows * plan.columns / (BLOCKS_PER_ROOM * max(room, 1))
    edge = min(max(ceil(sqrt(tiles)), LEAST_EDGE), MOST_EDGE)
    rows = (ROW_PIXELS // plan.x.length - plan.y.tile) // plan.y.step + 1
    return max(1, min(edge, rows)), edge
