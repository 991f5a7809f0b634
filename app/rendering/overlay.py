"""Blends a heatmap with its picture."""

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from app.rendering.bands import row_bands
from app.rendering.colormap import LEVELS, ColorMap, color_table, heat_level

HEAT_BEFORE = 0.1
"""Heat begins this far below the threshold, so that normal surfaces keep their colours."""

_ONE = 256  # weights are integers of 1/256
# The values whose colours in `colorize` the weakest and the strongest heat have: for `ember`, purple and orange. Black
# would be invisible on black, and the pale yellow of 1 on white.
_COOLEST, _HOTTEST = 0.25, 0.75


def overlay(
    image: Tensor,
    heat: Tensor,
    opacity: float = 0.5,
    colors: ColorMap = ColorMap.ember,
    threshold: float = 0.5,
) -> Tensor:
    """The picture with its anomalies in colour: [C,H,W] uint8 or uint16 and [H,W] float in [0,1] -> [3,H,W] uint8.

    C is 1 (grey) or 3. Heat begins 0.1 below the threshold, so that normal pixels keep their colours: with u from 0
    there to 1 at a value of 1, each pixel is (1 - a) * image + a * colour with a = opacity * u * (2 - u). The colour is
    that of 0.25 + u / 2 in `colorize`, which for `ember` ends in orange: it is visible on any background. If nearly all
    values are over a low threshold, the colours still show their peaks. Besides the result, one band of rows is in
    memory. Raises `ValueError` for other shapes and dtypes, and for an opacity or a threshold outside [0, 1].
    """
    _check(image, heat, opacity, threshold)
    channels, height, width = image.shape
    pixels: npt.NDArray[np.uint8 | np.uint16] = image.detach().cpu().numpy()
    keep, tint = _weights(opacity, colors, threshold)
    picture = np.empty((3, height, width), np.uint8)
    for rows in row_bands(height, width):
        level = heat_level(heat[rows])
        weight = np.take(keep, level, mode="clip")
        for channel in range(3):
            band = _as_8_bit(pixels[channel % channels, rows]) * weight
            band += np.take(tint[channel], level, mode="clip")
            np.right_shift(band, 8, out=picture[channel, rows], casting="unsafe")
    return torch.from_numpy(picture)


def _check(image: Tensor, heat: Tensor, opacity: float, threshold: float) -> None:
    if image.ndim != 3 or image.shape[0] not in (1, 3) or image.dtype not in (torch.uint8, torch.uint16):
        raise ValueError(f"image must be [1,H,W] or [3,H,W] uint8 or uint16, not {list(image.shape)} {image.dtype}")
    if image.shape[1:] != heat.shape:
        raise ValueError(f"heat must have the size of the image, {list(image.shape[1:])}, not {list(heat.shape)}")
    if not 0 <= opacity <= 1:
        raise ValueError(f"opacity must be in [0, 1], not {opacity}")
    if not 0 <= threshold <= 1:
        raise ValueError(f"threshold must be in [0, 1], not {threshold}")


def _weights(opacity: float, map_: ColorMap, threshold: float) -> tuple[npt.NDArray[np.uint16], npt.NDArray[np.uint16]]:
    """For each level of heat, the factor of the image, [256], and the value that is added, [3,256]; in units of 1/256.

    The added value includes 128, which rounds the result. The largest sum is 255 * 256 + 128, which fits into 16 bits.
    """
    begin = max(0.0, threshold - HEAT_BEFORE)
    excess = np.clip((np.arange(LEVELS) / (LEVELS - 1) - begin) / (1 - begin), 0, 1)
    paint = np.rint(_ONE * opacity * excess * (2 - excess)).astype(np.uint16)
    places = np.rint((LEVELS - 1) * (_COOLEST + (_HOTTEST - _COOLEST) * excess)).astype(int)
    return _ONE - paint, color_table(map_)[:, places] * paint + np.uint16(_ONE // 2)


def _as_8_bit(band: npt.NDArray[np.uint8 | np.uint16]) -> npt.NDArray[np.uint8]:
    # The upper byte. An 8-bit value k is k * 257 in 16 bits, whose upper byte is exactly k.
    return (band >> 8 if band.dtype == np.uint16 else band).astype(np.uint8, copy=False)
