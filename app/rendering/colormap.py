"""Heat -> colour: from black over violet, red and orange to pale yellow.

The path runs through Oklab (Bjorn Ottosson, "A perceptual color space for image processing", 2020,
https://bottosson.github.io/posts/oklab/) by control points of our own, and is cut into 255 steps of equal Oklab
distance: equal steps of heat look equally large. Lightness rises all the way, so that the order of the colours also
holds for the colour-blind and in print.
"""

from functools import cache

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from app.rendering.bands import row_bands

LEVELS = 256

# Lightness, chroma, hue in degrees (Oklab in polar form); all of the path between them is inside the sRGB gamut.
_PATH = np.array(
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


def colorize(heat: Tensor) -> Tensor:
    """Picture of a normalised anomaly map: [H,W] float in [0,1] -> [3,H,W] uint8.

    Values outside are taken as the nearest inside, and not-a-number as 0.
    """
    height, width = heat.shape
    table = color_table()  # [3,256]
    picture = np.empty((3, height, width), np.uint8)
    for rows in row_bands(height, width):
        level = heat_level(heat[rows])
        for channel in range(3):
            np.take(table[channel], level, out=picture[channel, rows], mode="clip")
    return torch.from_numpy(picture)


def heat_level(heat: Tensor) -> npt.NDArray[np.uint8]:
    """Index of each value of [H,W] in a table of `LEVELS` entries; values outside are taken as by `colorize`."""
    level: npt.NDArray[np.float32] = np.fmax(
        heat.detach().to("cpu", torch.float32).numpy(), np.float32(0)
    )  # not-a-number loses to 0
    np.fmin(level, np.float32(1), out=level)
    level *= LEVELS - 1
    level += np.float32(0.5)
    return level.astype(np.uint8)


@cache
def color_table() -> npt.NDArray[np.uint8]:
    """[3,256] sRGB: the colour of each level of heat; read-only."""
    stations = np.linspace(0, len(_PATH) - 1, 4096)
    light, chroma, hue = (np.interp(stations, np.arange(len(_PATH)), column) for column in _PATH.T)
    angle = np.deg2rad(hue)
    lab = np.stack([light, chroma * np.cos(angle), chroma * np.sin(angle)])  # [3,4096]
    steps = np.linalg.norm(np.diff(lab), axis=0)
    length = np.concatenate([[0], np.cumsum(steps)])
    even = np.linspace(0, length[-1], LEVELS)
    lab = np.stack([np.interp(even, length, row) for row in lab])  # [3,256]
    linear = np.clip(_CONES_TO_RGB @ (_LAB_TO_CONES @ lab) ** 3, 0, 1)
    encoded = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)  # IEC 61966-2-1
    table: npt.NDArray[np.uint8] = np.rint(encoded * 255).astype(np.uint8)
    table.setflags(write=False)
    return table
