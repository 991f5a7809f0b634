import numpy as np
import pytest

from app.rendering import ColorMap
from app.rendering.colormap import color_table

LUMINANCE = (0.2126, 0.7152, 0.0722)


@pytest.mark.parametrize("colors", ColorMap)
def test_lightness_rises_with_heat(colors: ColorMap) -> None:
    encoded = color_table(colors) / 255
    linear = np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
    luminance = LUMINANCE @ linear
    assert (np.diff(luminance) > -1e-3).all() and luminance[-1] - luminance[0] > 0.5


@pytest.mark.parametrize(
    ("colors", "first", "last"),
    [
        (ColorMap.viridis, (0x44, 0x01, 0x54), (0xFD, 0xE7, 0x25)),
        (ColorMap.cividis, (0x00, 0x22, 0x4E), (0xFE, 0xE8, 0x38)),
        (ColorMap.grey, (0, 0, 0), (255, 255, 255)),
    ],
)
def test_known_maps_have_their_published_ends(colors: ColorMap, first: tuple[int, ...], last: tuple[int, ...]) -> None:
    table = color_table(colors).astype(int)
    assert np.abs(table[:, 0] - first).max() <= 1 and np.abs(table[:, -1] - last).max() <= 1


def test_grey_is_grey() -> None:
    table = color_table(ColorMap.grey).astype(int)
    assert np.ptp(table, axis=0).max() <= 1
