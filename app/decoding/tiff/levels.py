"""Scales samples to grey values of 8 or 16 bits."""

from functools import cache
from typing import cast

import numpy as np
import numpy.typing as npt

from app.decoding.tiff.sample_type import SampleType
from app.decoding.tiff.values import Values
from app.errors import UnsupportedImage

Integers = npt.NDArray[np.uint32]
Levels = npt.NDArray[np.uint8 | np.uint16]

_WHITE_16 = 65535
_WHITE_8 = 255


def grey_levels(values: Values, samples: SampleType, *, inverted: bool) -> Levels:
    """uint8 for samples of up to 8 bits, uint16 for others; `inverted`: 0 is white.

    Integers of n bits are scaled by their white, 2^n - 1. Floats are rounded to 16 bits; they must be in [0,1].
    Integers of 32 bits are taken as 16-bit grey; they must be in [0,65535]. Raises UnsupportedImage.
    """
    if samples.kind == "float" or samples.bits == 32:
        levels: Levels = _checked(values, samples)
    elif samples.bits == 24:
        levels = (cast(Integers, values) >> 8).astype(np.uint16)
    elif samples.bits == 1:
        levels = cast(Levels, values) * np.uint8(_WHITE_8)
    elif samples.bits in (8, 16):
        levels = cast(Levels, values)
    else:
        levels = _scale(samples.bits)[values]
    return np.invert(levels) if inverted else levels


def colour_levels(values: Values, samples: SampleType) -> npt.NDArray[np.uint8]:
    """The upper 8 bits of samples of more than 8 bits, as Pillow's; other samples as `grey_levels`."""
    if samples.kind == "float":
        return (_checked(values, samples) >> 8).astype(np.uint8)
    if samples.bits > 8:
        upper: npt.NDArray[np.uint8] = (cast(Integers, values) >> (samples.bits - 8)).astype(np.uint8)
        return upper
    return grey_levels(values, samples, inverted=False).astype(np.uint8, copy=False)


@cache
def _scale(bits: int) -> Levels:
    """The grey level of each integer of this many bits: [2^bits]."""
    white = _WHITE_8 if bits < 8 else _WHITE_16
    levels: Levels = np.rint(np.linspace(0, white, 2**bits)).astype(np.uint8 if bits < 8 else np.uint16)
    return levels


def _checked(values: Values, samples: SampleType) -> npt.NDArray[np.uint16]:
    white = 1 if samples.kind == "float" else _WHITE_16
    low, high = values.min(), values.max()
    if not (low >= 0 and high <= white):  # true also for NaN
        raise UnsupportedImage(
            f"{samples.bits}-bit {'floats' if white == 1 else 'integers'} are taken with values from 0 to {white}, "
            f"these have {low:g} to {high:g}; scale them, or save the picture as 8-bit or 16-bit grey"
        )
    if samples.kind != "float":
        return values.astype(np.uint16)
    levels: npt.NDArray[np.uint16] = np.rint(values.astype(np.float32) * np.float32(_WHITE_16)).astype(np.uint16)
    return levels
