"""Limits on the cost of decoding a picture, checked before any pixel is decoded."""

from PIL.BmpImagePlugin import BmpImageFile
from PIL.ImageFile import ImageFile

from app.errors import TooManyPixels, UnsupportedImage

# Pillow unpacks run-length BMP in Python, about 0.1 s per million pixels.
_MAX_RUN_LENGTH_PIXELS = 1 << 24


def check_pixels(height: int, width: int, max_pixels: int) -> None:
    """Raises `TooManyPixels` if the picture has more pixels than the limit."""
    if height * width > max_pixels:
        raise TooManyPixels(
            f"The picture has {width:,} x {height:,} = {height * width:,} pixels, the limit is {max_pixels:,} "
            "(max_pixels); scale it down, or cut it into several pictures: a region of it (roi) needs the whole "
            "picture, too. A server with jobs_dir takes pictures of any size as jobs (POST /v1/jobs)"
        )


def check_cost(image: ImageFile, *, max_pixels: int) -> None:
    """Raises `TooManyPixels`, or `UnsupportedImage` if the same picture would be accepted in another encoding."""
    check_pixels(image.height, image.width, max_pixels)
    pixels = image.height * image.width
    if isinstance(image, BmpImageFile) and image.tile[0][0] == "bmp_rle" and pixels > _MAX_RUN_LENGTH_PIXELS:
        raise UnsupportedImage(
            f"Run-length BMP is taken up to {_MAX_RUN_LENGTH_PIXELS:,} pixels, this has {pixels:,}; "
            "save it uncompressed or as PNG"
        )
