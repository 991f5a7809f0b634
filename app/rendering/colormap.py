"""Colour maps: the colour of a normalised map value (heat).

The default, `ember`, runs from black over violet, red and orange to pale yellow.

A colour map is a path through control points in Oklab (Bjorn Ottosson, "A perceptual color space for image processing",
2020, https://bottosson.github.io/posts/oklab/). It is cut into 255 steps of equal Oklab distance, so that equal steps
of heat look equally large. Lightness increases along the whole path, so that the order of the colours is also visible
to colour-blind people and in print. The control points of `ember` are the project's own. Those of `viridis` and
`cividis` are ten colours of the published maps of these names (Smith and van der Walt 2015; Nunez, Anderton and Renslow
2018). Because their steps are equal in Oklab, they differ from the published maps by 3 of 255 levels on average, and by
18 at most.
"""

from enum import StrEnum
from functools import cache

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from app.rendering.bands import row_bands

LEVELS = 256


class ColorMap(StrEnum):
    """The colours of heat, by name."""

    ember = "ember"
    viridis = "viridis"
    cividis = "cividis"
    grey = "grey"


# Lightness, chroma, hue in degrees (Oklab in polar form). The whole path between the points is inside the sRGB gamut.
_EMBER = np.array(
    [
        (0.10, 0.030, 285),
        (0.32, 0.130, 305),
        (0.50, 0.185, 355),
        (0.63, 0.200, 390),
        (0.76, 0.155, 422),
        (0.88, 0.155, 454),
        (0.98, 0.060, 468),
    ]
)

_SRGB_POINTS: dict[ColorMap, tuple[int, ...]] = {
    ColorMap.viridis: (
        *(0x440154, 0x482878, 0x3E4989, 0x31688E, 0x26828E),
        *(0x1F9E89, 0x35B779, 0x6ECE58, 0xB5DE2B, 0xFDE725),
    ),
    ColorMap.cividis: (
        *(0x00224E, 0x123570, 0x3B496C, 0x575D6D, 0x707173),
        *(0x8A8678, 0xA59C74, 0xC3B369, 0xE1CC55, 0xFEE838),
    ),
    ColorMap.grey: (0x000000, 0xFFFFFF),
}

# Oklab -> cube roots of the cone responses -> linear sRGB, from the article above.
_LAB_TO_CONES = np.array(
    [[1, 0.3963377774, 0.2158037573], [1, -0.1055613458, -0.0638541728], [1, -0.0894841775, -1.2914855480]]
)
_CONES_TO_RGB = np.array(
    [
        [4.0767416621, -3.3077115913, 0.2309699292],
        [-1.2684380046, 2.6097574011, -0.3413193965],
        [-0.0041960863, -0.7034186147, 1.7076147010],
    ]
)


def colorize(heat: Tensor, colors: ColorMap = ColorMap.ember) -> Tensor:
    """The picture of a normalised anomaly map: [H,W] float in [0,1] -> [3,H,W] uint8.

    Values outside [0,1] are clipped; NaN counts as 0.
    """
    height, width = heat.shape
    table = color_table(colors)  # [3,256]
    picture = np.empty((3, height, width), np.uint8)
    for rows in row_bands(height, width):
        level = heat_level(heat[rows])
        for channel in range(3):
            np.take(table[channel], level, out=picture[channel, rows], mode="clip")
    return torch.from_numpy(picture)


def heat_level(heat: Tensor) -> npt.NDArray[np.uint8]:
    """The index of each value of [H,W] in a table of `LEVELS` entries. Clips values to [0,1]; NaN gives 0."""
    level: npt.NDArray[np.float32] = np.fmax(
        heat.detach().to("cpu", torch.float32).numpy(), np.float32(0)
    )  # fmax replaces NaN by 0
    np.fmin(level, np.float32(1), out=level)
    level *= LEVELS - 1
    level += np.float32(0.5)
    return level.astype(np.uint8)


@cache
def color_table(colors: ColorMap = ColorMap.ember) -> npt.NDArray[np.uint8]:
    """[3,256] sRGB: the colour of each level of heat; read-only."""
    lab = _ember_path() if colors == ColorMap.ember else _path_through(_SRGB_POINTS[colors])  # [3,4096]
    steps = np.linalg.norm(np.diff(lab), axis=0)
    length = np.concatenate([[0], np.cumsum(steps)])
    even = np.linspace(0, length[-1], LEVELS)
    lab = np.stack([np.interp(even, length, row) for row in lab])  # [3,256]
    linear = np.clip(_CONES_TO_RGB @ (_LAB_TO_CONES @ lab) ** 3, 0, 1)
    encoded = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)  # IEC 61966-2-1
    table: npt.NDArray[np.uint8] = np.rint(encoded * 255).astype(np.uint8)
    table.setflags(write=False)
    return table


def _ember_path() -> npt.NDArray[np.float64]:
    light, chroma, hue = _stretched(_EMBER.T)
    angle = np.deg2rad(hue)
    return np.stack([light, chroma * np.cos(angle), chroma * np.sin(angle)])


def _path_through(points: tuple[int, ...]) -> npt.NDArray[np.float64]:
    """The path [3,4096] in Oklab through sRGB colours 0xRRGGBB."""
    encoded = np.array([[color >> 16, color >> 8 & 255, color & 255] for color in points]).T / 255
    linear = np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
    cones = np.linalg.inv(_CONES_TO_RGB) @ linear
    return _stretched(np.linalg.inv(_LAB_TO_CONES) @ np.cbrt(cones))


def _stretched(points: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """[3,n] -> [3,4096], interpolated linearly."""
    places = np.linspace(0, points.shape[1] - 1, 4096)
    return np.stack([np.interp(places, np.arange(points.shape[1]), row) for row in points])
