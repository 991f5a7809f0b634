"""Bytes of a picture -> its pixels."""

from torch import Tensor

from app.decoding import png
from app.decoding.damage import reporting_damage
from app.decoding.opening import open_picture
from app.decoding.pixels import to_tensor


def decode(data: bytes, *, max_pixels: int, pinned: bool = False) -> Tensor:
    """The upright picture: [C,H,W] contiguous on the CPU, C = 1 (grey) or 3 (RGB); of several pages, the first.

    uint8, or uint16 for grey of more than 8 bits, so that value / iinfo(dtype).max is in [0,1]. Transparency is
    composited over white. CMYK, YCbCr and Lab become RGB; embedded colour profiles are not applied. RGB of 16 bits
    keeps its upper 8, which is what Pillow reads. TIFF of 32-bit integers is taken as 16-bit grey if its values are in
    [0, 65535], of floats if they are in [0, 1] (rounded to 16 bits); nobody knows the white of other ranges, and they
    are refused.

    Raises `UnsupportedImage` for anything but JPEG, PNG, WebP, BMP and TIFF, `DamagedImage` for truncated or corrupt
    bytes, `TooManyPixels` by the header alone, and `InsufficientMemory`. May be called from several threads at once.
    With `pinned` the pixels lie in memory that a GPU copies by itself, as far as the system has any to lock.
    """
    picture = open_picture(data, max_pixels=max_pixels)
    with reporting_damage(picture.format):
        if picture.format == "PNG":
            png.verify(data)
        picture.image.load()
        return to_tensor(picture.image, picture.orientation, pinned=pinned)
