"""Renders anomaly maps and masks as pictures and files. Pure functions, whose results are on the CPU."""

from app.rendering.colormap import ColorMap, color_table, colorize
from app.rendering.encode import MAP_MEDIA_TYPES, MapFormat, encode_jpeg, encode_map, encode_mask, encode_png
from app.rendering.hatching import hatch
from app.rendering.outline import outline, outline_rows
from app.rendering.overlay import HEAT_BEFORE, overlay

__all__ = [
    "HEAT_BEFORE",
    "MAP_MEDIA_TYPES",
    "ColorMap",
    "MapFormat",
    "color_table",
    "colorize",
    "encode_jpeg",
    "encode_map",
    "encode_mask",
    "encode_png",
    "hatch",
    "outline",
    "outline_rows",
    "overlay",
]
