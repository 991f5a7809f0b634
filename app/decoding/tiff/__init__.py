"""Reads TIFF (TIFF 6.0 with its supplements, and BigTIFF) by its tags, with Pillow's libtiff for its compressions."""

from app.decoding.tiff.opening import open_tiff, read_by_pillow
from app.decoding.tiff.picture import TiffPicture

__all__ = ["TiffPicture", "open_tiff", "read_by_pillow"]
