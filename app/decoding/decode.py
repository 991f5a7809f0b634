"""Decodes the bytes of a picture into its pixels."""

from typing import TYPE_CHECKING

from app.decoding import png
from app.decoding.damage import reporting_damage
from app.decoding.opening import open_picture
from app.decoding.orientation import Pixels
from app.decoding.pixels import Allocate, new_array

if TYPE_CHECKING:
    from torch import Tensor


def decode(data: bytes, *, max_pixels: int, lenient: bool = False) -> "Tensor":
    """The upright picture: [C,H,W] contiguous on the CPU, C = 1 (grey) or 3 (RGB); of several pages, the first.

    The dtype is uint8, or uint16 for grey of more than 8 bits; value / iinfo(dtype).max is in [0,1]. Transparency is
    composited over white. CMYK, YCbCr and Lab are converted to RGB; embedded colour profiles are not applied. RGB of
    more than 8 bits keeps its upper 8 bits.

    White of a TIFF's unsigned integers of n bits is 2^n - 1 (n up to 16, or 24). Its floats must be in [0, 1]; grey is
    rounded to 16 bits. Its 32-bit integers are read as 16-bit grey, and must be in [0, 65535]. Other ranges and other
    signed integers are refused, because their white level is unknown. Thumbnails and masks before the picture are
    passed over.

    Raises `UnsupportedImage` for anything but JPEG, PNG, WebP, BMP, TIFF and AVIF, `DamagedImage` for truncated or
    corrupt bytes, `TooManyPixels` from the header, before any pixel is decoded, and `InsufficientMemory`. Several
    threads may call it at the same time. With `lenient`, a JPEG whose data end early is decoded: what is
    missing is grey, or blurred.
    """
    import torch  # not at the top, because the processes that decode uploads do not need it

    return torch.from_numpy(decode_array(data, max_pixels=max_pixels, lenient=lenient))


def decode_array(data: bytes, *, max_pixels: int, lenient: bool = False, allocate: Allocate = new_array) -> Pixels:
    """The pixels of `decode` as an array, in memory of `allocate`."""
    picture = open_picture(data, max_pixels=max_pixels, lenient=lenient)
    with reporting_damage(picture.format):
        if picture.format == "PNG":
            png.verify(data)
        return picture.load(allocate)
