"""The tiling of new models."""

from app.tiling import PaddingFill, Tiling, TilingMode

DEFAULT_TILING = Tiling(mode=TilingMode.cover, padding_fill=PaddingFill.reflect)
"""The tiling of new models by default. Of the tilings in benchmarks/picture_sizes.py it raises the fewest false alarms
on pictures of any size.
"""
