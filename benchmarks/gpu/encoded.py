"""Encoded pictures, as clients send them."""

import io
from functools import lru_cache

from PIL import Image

from app.tiling import Size
from benchmarks.gpu.setting import pictures

FORMATS: dict[str, dict[str, object]] = {"png": {"compress_level": 6}, "jpeg": {"quality": 92}}


@lru_cache(maxsize=8)
def encoded(size: Size, format: str) -> bytes:
    """A drawn surface of this size, encoded in this format."""
    (picture,) = pictures(1, size)
    file = io.BytesIO()
    Image.fromarray(picture.permute(1, 2, 0).numpy()).save(file, format, **FORMATS[format])
    return file.getvalue()
