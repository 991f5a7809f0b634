"""Limits on the cost of decoding a picture, checked before any pixel is decoded."""

from PIL.BmpImagePlugin import BmpImageFile
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile

from app.errors import TooManyPixels, UnsupportedImage

# The decoder processes the whole picture once for each scan of a progressive JPEG, and a scan can be a few bytes long:
# a small file could keep a core busy for minutes. Encoders write about 10 scans.
_MAX_SCANS = 100
_START_OF_SCAN = b"\xff\xda"  # cannot occur within the compressed pixels, where 00 follows each ff

# Pillow unpacks run-length BMP in Python, about 0.1 s per million pixels.
_MAX_RUN_LENGTH_PIXELS = 1 << 24


def check_pixels(height: int, width: int, max_pixels: int) -> None:
    """Raises `TooManyPixels` if the picture has more pixels than the limit."""
    if height * width > max_pixels:
        raise TooManyPixels(
            f"The picture has {width:,} x {height:,} = {height * width:,} pixels, the limit is {max_pixels:,}; "
            "scale it down or send it in parts"
        )


def check_cost(image: ImageFile, data: bytes, *, max_pixels: int) -> None:
    """Raises `TooManyPixels`, or `UnsupportedImage` if the same picture would be accepted in another encoding."""
    check_pixels(image.height, image.width, max_pixels)
    pixels = image.height * image.width
    if isinstance(image, JpegImageFile) and "progressive" in image.info and data.count(_START_OF_SCAN) > _MAX_SCANS:
        raise UnsupportedImage(f"The progressive JPEG has more than {_MAX_SCANS} scans; save it as baseline JPEG")
    elif isinstance(image, BmpImageFile) and image.tile[0][0] == "bmp_rle" and pixels > _MAX_RUN_LENGTH_PIXELS:
        raise UnsupportedImage(
            f"Run-length BMP is taken up to {_MAX_RUN_LENGTH_PIXELS:,} pixels, this has {pixels:,}; "
            "save it uncompressed or as PNG"
        )
