"""Turns the samples of a page into grey or RGB over white."""

import numpy as np
import numpy.typing as npt
from PIL import Image

from app.decoding.tiff.colours import Colours, Photometric
from app.decoding.tiff.levels import Levels, colour_levels, grey_levels
from app.decoding.tiff.refusal import refusal
from app.decoding.tiff.sample_type import SampleType
from app.decoding.tiff.tags import Tag
from app.decoding.tiff.values import Values

Planes = npt.NDArray[np.uint8]

_PILLOW_MODES = {Photometric.CMYK: "CMYK", Photometric.CIE_LAB: "LAB", Photometric.ICC_LAB: "LAB"}


def render(values: Values, samples: SampleType, colours: Colours, target: Levels) -> None:
    """Writes the samples [S,rows,width] to `target`, [1,rows,width] of grey or [3,rows,width] of RGB.

    Raises UnsupportedImage for values without a rule.
    """
    alpha = None if colours.alpha is None else values[colours.alpha]
    if colours.is_grey:
        inverted = colours.photometric == Photometric.WHITE_IS_ZERO
        target[0] = grey_levels(values[0], samples, inverted=inverted)
        if alpha is not None:
            _put_over_white(target, grey_levels(alpha, samples, inverted=False), colours)
        return
    if colours.palette is not None:
        for channel, levels in enumerate(colours.palette):
            target[channel] = _looked_up(levels, values[0])
    elif colours.photometric == Photometric.RGB:
        for channel in range(3):
            target[channel] = colour_levels(values[channel], samples)
    else:
        target[...] = _converted(colour_levels(values[: colours.count], samples), colours.photometric)
    if alpha is not None:
        _put_over_white(target, colour_levels(alpha, samples), colours)


def _looked_up(levels: npt.NDArray[np.uint8], index: Values) -> npt.NDArray[np.uint8]:
    """The level at each index; `levels` has at least as many entries as there are indices."""
    if index.dtype != np.uint8:
        found: npt.NDArray[np.uint8] = levels[index]
        return found
    # A quarter of the time of numpy, which first converts each index to 64 bits.
    table = levels.tobytes().ljust(256, b"\0")
    return np.frombuffer(index.tobytes().translate(table), np.uint8).reshape(index.shape)


def _converted(levels: Planes, photometric: Photometric) -> Planes:
    """CMYK or Lab of 8 bits, [C,rows,width], as RGB."""
    pixels = np.ascontiguousarray(levels.transpose(1, 2, 0))
    if photometric == Photometric.ICC_LAB:
        pixels[..., 1:] ^= 128  # stored with an offset (TIFF Technical Note "ICC L*a*b*"), CIE Lab as signed integers
    mode = _PILLOW_MODES[photometric]
    image = Image.frombytes(mode, (pixels.shape[1], pixels.shape[0]), pixels.tobytes(), "raw", mode)
    return np.asarray(image.convert("RGB")).transpose(2, 0, 1)


def _put_over_white(target: Levels, alpha: Levels, colours: Colours) -> None:
    """Composites each channel over white; alpha is [rows,width] of the dtype of `target`."""
    white = int(np.iinfo(target.dtype).max)
    if (alpha == white).all():
        return
    if colours.transparency == "unknown":
        state = f"is missing, so that sample {(colours.alpha or 0) + 1} of a pixel can be transparency or another band"
        raise refusal(Tag.ExtraSamples, state, "save the picture with it, or without this sample")
    opacity = alpha.astype(np.uint32 if white > 255 else np.uint16)  # the sums below are less than 2^32 or 2^16
    for channel in target:
        levels = channel.astype(opacity.dtype)
        if colours.transparency == "premultiplied":
            levels = np.minimum(levels * white // np.maximum(opacity, 1), white)
        channel[...] = (levels * opacity + white * (white - opacity) + white // 2) // white
