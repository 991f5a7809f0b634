import numpy as np
import numpy.typing as npt
import pytest
import torch

from app.rendering import colorize
from app.rendering.colormap import color_table

# Linear sRGB as severely colour-blind people see it: Machado, Oliveira, Fernandes, "A Physiologically-based Model for
# Simulation of Color Vision Deficiency", 2009, table 1, severity 1.0.
DEFICIENCIES = {
    "none": [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
    "protanomaly": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranomaly": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritanomaly": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}


def linear_table() -> npt.NDArray[np.float64]:
    encoded = color_table() / 255
    return np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)


def oklab(linear: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Linear sRGB [3,N] -> Oklab [3,N]; the inverse matrices, as Ottosson's article prints them."""
    cones = np.array(
        [
            [0.4122214708, 0.5363325363, 0.0514459929],
            [0.2119034982, 0.6806995451, 0.1073969566],
            [0.0883024619, 0.2817188376, 0.6299787005],
        ]
    )
    lab = np.array(
        [
            [0.2104542553, 0.7936177850, -0.0040720468],
            [1.9779984951, -2.4285922050, 0.4505937099],
            [0.0259040371, 0.7827717662, -0.8086757660],
        ]
    )
    converted: npt.NDArray[np.float64] = lab @ np.cbrt(cones @ linear)
    return converted


def test_equal_steps_of_heat_look_equally_large() -> None:
    steps = np.linalg.norm(oklab(linear_table())[:, 16::16] - oklab(linear_table())[:, :-16:16], axis=0)
    assert steps.max() / steps.min() < 1.15  # dark colours are affected by rounding to 8 bits


@pytest.mark.parametrize("deficiency", DEFICIENCIES)
def test_luminance_rises_with_heat_for_colour_blind_people_too(deficiency: str) -> None:
    seen = np.clip(np.array(DEFICIENCIES[deficiency]) @ linear_table(), 0, 1)
    luminance = np.array([0.2126, 0.7152, 0.0722]) @ seen
    assert (np.diff(luminance[::4]) > 0).all()


def test_no_colour_leaves_the_gamut() -> None:
    # Clipping would make neighbouring levels equal.
    assert len(np.unique(color_table(), axis=1).T) == 256


def test_no_heat_is_black_and_full_heat_is_nearly_white() -> None:
    picture = colorize(torch.tensor([[0.0, 1.0]]))
    assert picture[:, 0, 0].max() < 20
    assert picture[:, 0, 1].min() > 180


def test_a_value_gets_the_colour_of_the_nearest_level() -> None:
    heat = torch.arange(256).view(4, 64) / 255
    picture = colorize(heat)
    assert picture.shape == (3, 4, 64) and picture.dtype == torch.uint8 and picture.is_contiguous()
    assert picture.flatten(1).numpy().tolist() == color_table().tolist()
    assert colorize(heat + 0.4 / 255).equal(picture)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_any_float_dtype_is_accepted(dtype: torch.dtype) -> None:
    assert colorize(torch.tensor([[0.0, 1.0]], dtype=dtype)).equal(colorize(torch.tensor([[0.0, 1.0]])))


def test_values_out_of_range_are_clamped_and_nan_is_cold() -> None:
    odd = colorize(torch.tensor([[-3.0, float("-inf"), float("nan"), 1.5, float("inf")]]))
    assert odd.equal(colorize(torch.tensor([[0.0, 0.0, 0.0, 1.0, 1.0]])))


def test_the_heat_is_not_changed() -> None:
    heat = torch.tensor([[0.25, 2.0]])
    colorize(heat)
    assert heat.tolist() == [[0.25, 2.0]]


def test_bands_leave_no_seams() -> None:
    heat = torch.linspace(0, 1, 700).repeat(900, 1)
    picture = colorize(heat)
    assert (picture == picture[:, :1]).all()
