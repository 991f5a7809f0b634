"""The tiles of a picture whose height is not known yet: its rows arrive one after the other."""

from app.tiling.axis import Axis
from app.tiling.config import Tiling, TilingMode
from app.tiling.plan import TilePlan, last_start, plan

ENDLESS_ROWS = 2**20
"""The rows of tiles of an endless plan. The numbers of later rows are counted anew, see `EndlessScan`."""


def endless_plan(tiling: Tiling, width: int, grid: int = 1, strip_width: int | None = None) -> TilePlan:
    """The plan of a picture that is `width` pixels wide, and higher than any picture; see `plan`.

    Its rows of tiles equal those of a real picture of this width, as far as `settled_rows` says.
    """
    tile, step = tiling.tile_size[0], tiling.stride[0]
    return plan(tiling, tile + (ENDLESS_ROWS - 1) * step, width, grid, strip_width)


def settled_rows(y: Axis, known: int, grid: int = 1) -> int:
    """The number of rows of tiles that are equal in the plans of all pictures with at least `known` rows of pixels.

    y: the rows of tiles of an endless plan
    grid: that of the plan

    Such rows of tiles show known pixels only, and have equal places and weights in all these plans. If tiles overlap,
    another row of tiles follows them, at the same place in all these plans.
    """
    last = last_start(known, y.tile, _unit(y, grid))
    by_pixels, by_others = (known - y.tile - y.halo) // y.step, (last - _needed(y)) // y.step
    return max(0, min(by_pixels, by_others) + 1)


def rows_to_settle(y: Axis, count: int, grid: int = 1) -> int:
    """The least number of known rows of pixels for which `settled_rows` returns `count`, 1 or more."""
    beyond = _needed(y) - _unit(y, grid) + 1 if _needed(y) else 0
    return (count - 1) * y.step + y.tile + max(y.halo, beyond)


def _unit(y: Axis, grid: int) -> int:
    """The last tile begins at a multiple of this number of pixels."""
    return grid if y.mode is TilingMode.cover else y.step


def _needed(y: Axis) -> int:
    """How far after a tile the last tile must begin, so that no end of the picture changes that tile.

    All tiles that overlap it must be there. With the mode `cover`, the last tile is moved inward, and could show what
    the others leave out as their border.
    """
    overlapping = (-(-y.tile // y.step) - 1) * y.step
    return y.tile if y.mode is TilingMode.cover and y.border else overlapping
