"""The geometry of tiling: plan, cut, stitch."""

from app.tiling.axis import Axis
from app.tiling.config import Blend, PaddingFill, Size, Tiling, TilingMode, as_size
from app.tiling.endless import endless_plan, rows_to_settle, settled_rows
from app.tiling.ops import columns_shown, rows_shown, tile, untile, untile_features, zero_padding
from app.tiling.plan import TilePlan, plan
from app.tiling.stitch import Kept, Stitcher
from app.tiling.strips import STRIP_PIXELS, Strip
from app.tiling.tiler import Tiler

__all__ = [
    "STRIP_PIXELS",
    "Axis",
    "Blend",
    "Kept",
    "PaddingFill",
    "Size",
    "Stitcher",
    "Strip",
    "TilePlan",
    "Tiler",
    "Tiling",
    "TilingMode",
    "as_size",
    "columns_shown",
    "endless_plan",
    "plan",
    "rows_shown",
    "rows_to_settle",
    "settled_rows",
    "tile",
    "untile",
    "untile_features",
    "zero_padding",
]
