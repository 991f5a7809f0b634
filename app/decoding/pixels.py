"""Converts Pillow's loaded image, in any mode, to a grey or RGB array.

The conversion works in bands of rows. `np.asarray(image)` would copy all pixels once, before they are copied again into
planes. A band stays in the cache; Pillow writes each channel of a band directly as a plane; and a mode that must be
converted needs no second image of the full size. 4096 x 4096 RGB takes 23 ms, instead of 63 ms with np.asarray and
transpose; decoding the JPEG takes 105 ms (Pillow 13.0).
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from PIL import Image

from app.decoding.orientation import Pixels, as_stored, swaps_edges

Allocate = Callable[[tuple[int, int, int], type[np.uint8] | type[np.uint16]], Pixels]
"""Returns a contiguous array of a shape and a type, with any values."""

_BAND_PIXELS = 1 << 18
_WHOLE_PIXELS = 1 << 20  # pictures up to this size are one band: without a crop they take two thirds of the time

_GREY = {"1", "L", "LA", "La"}
_GREY_16 = {"I;16", "I;16L", "I;16B", "I;16N"}
_ALPHA = {"LA", "La", "PA", "RGBA", "RGBa"}


def new_array(shape: tuple[int, int, int], dtype: type[np.uint8] | type[np.uint16]) -> Pixels:
    """An `Allocate` in the memory of this process."""
    return np.empty(shape, dtype)


def to_array(image: Image.Image, orientation: int, allocate: Allocate = new_array) -> Pixels:
    """The upright picture, [C,H,W] uint8 or uint16, in memory of `allocate`."""
    width, height = image.size
    channels = 1 if image.mode in _GREY | _GREY_16 else 3
    size = (width, height) if swaps_edges(orientation) else (height, width)
    upright = allocate((channels, *size), np.uint16 if image.mode in _GREY_16 else np.uint8)
    stored = as_stored(upright, orientation)  # [C,h,w]
    if width * height <= _WHOLE_PIXELS:
        _write(image, stored)
        return upright
    rows = max(1, _BAND_PIXELS // width)
    for top in range(0, height, rows):
        band = image.crop((0, top, width, min(top + rows, height)))
        _write(band, stored[:, top : top + rows])
    return upright


def _write(band: Image.Image, target: Pixels) -> None:
    if band.mode in _GREY_16:
        target[0] = _as_16_bit(band)
        return
    flat = _over_white(band)
    for channel, name in enumerate(flat.getbands()):
        target[channel] = np.frombuffer(flat.tobytes("raw", name), np.uint8).reshape(band.height, band.width)


def _over_white(band: Image.Image) -> Image.Image:
    """The band in mode L or RGB, composited over white."""
    grey = band.mode in _GREY
    mode = "L" if grey else "RGB"
    key = band.info.get("transparency")
    if isinstance(key, tuple) and max(key) > 255:
        key = None  # a colour of 16-bit RGB, which no pixel can match: Pillow keeps 8 bits
    if key is None and band.mode not in _ALPHA:
        return band if band.mode == mode else band.convert(mode)
    alpha = band.convert("LA" if grey else "RGBA")
    white = Image.new(mode, band.size, "white")
    white.paste(alpha.convert("L") if grey else alpha, mask=alpha)
    return white


def _as_16_bit(band: Image.Image) -> npt.NDArray[np.uint16]:
    values: npt.NDArray[np.uint16] = np.asarray(band)
    key = band.info.get("transparency")
    return values.astype(np.uint16) if key is None else np.where(values == key, 65535, values).astype(np.uint16)
