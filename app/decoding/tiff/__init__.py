"""Reads TIFF (TIFF 6.0 with its supplements, and BigTIFF) by its tags, with Pillow's libtiff for its compressions."""

from app.decoding.tiff.opening import open_tiff

__all__ = ["open_tiff"]
