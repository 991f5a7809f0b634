"""Renders anomaly maps and masks as pictures and files. Pure functions, whose results are on the CPU."""

from app.rendering.colormap import ColorMap, color_table, colorize
from app.rendering.encode import MAP_MEDIA_TYPES, MapFormat, encode_jpeg, encode_map, encode_mask, encode_png
from app.rendering.frames import framed
from app.rendering.hatching import hatch
from app.rendering.overlay import HEAT_BEFORE, overlay
from app.rendering.region_marks import MarkedRegion, RegionMarks, marked, marked_bands

__all__ = [
    "HEAT_BEFORE",
    "MAP_MEDIA_TYPES",
    "ColorMap",
    "MapFormat",
    "MarkedRegion",
    "RegionMarks",
    "color_table",
    "colorize",
    "encode_jpeg",
    "encode_map",
    "encode_mask",
    "encode_png",
    "framed",
    "hatch",
    "marked",
    "marked_bands",
    "overlay",
]
