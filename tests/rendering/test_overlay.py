import tracemalloc

import numpy as np
import pytest
import torch
from torch import Tensor

from app.rendering import colorize, overlay


def exact(image: Tensor, heat: Tensor, opacity: float) -> Tensor:
    """The formula of `overlay`'s docstring in float64, [3,H,W] in 0..255."""
    excess = ((heat.double() - 0.4) / 0.6).clamp(0, 1)
    weight = opacity * excess * (2 - excess)
    scale = 1 if image.dtype == torch.uint8 else 257
    return (1 - weight) * image.to(torch.float64) / scale + weight * colorize(0.25 + 0.5 * excess).double()


@pytest.mark.parametrize("opacity", [0.0, 0.3, 0.5, 1.0])
@pytest.mark.parametrize("dtype", [torch.uint8, torch.uint16])
@pytest.mark.parametrize("channels", [1, 3])
def test_the_picture_follows_the_formula(channels: int, dtype: torch.dtype, opacity: float) -> None:
    rng = np.random.default_rng(0)
    image = torch.from_numpy(rng.integers(0, torch.iinfo(dtype).max + 1, (channels, 600, 700))).to(dtype)
    heat = torch.from_numpy(rng.random((600, 700), np.float32))
    picture = overlay(image, heat, opacity)
    assert picture.shape == (3, 600, 700) and picture.dtype == torch.uint8 and picture.is_contiguous()
    assert (picture.double() - exact(image, heat, opacity)).abs().max() < 4  # 256 levels of heat


def test_without_heat_the_image_is_not_changed() -> None:
    image = torch.arange(256, dtype=torch.uint8).view(1, 16, 16)
    assert overlay(image, torch.zeros(16, 16)).equal(image.expand(3, -1, -1))
    assert overlay(image.repeat(3, 1, 1), torch.rand(16, 16), opacity=0).equal(image.expand(3, -1, -1))
    deep = (image.int() * 257).to(torch.uint16)
    assert overlay(deep, torch.zeros(16, 16)).equal(image.expand(3, -1, -1))


def test_full_heat_at_full_opacity_is_the_colour_alone() -> None:
    assert overlay(torch.full((3, 4, 5), 200, dtype=torch.uint8), torch.ones(4, 5), opacity=1).equal(
        colorize(torch.full((4, 5), 0.75))
    )


@pytest.mark.parametrize("background", [0, 60, 128, 200, 255])
def test_anomalous_pixels_stand_out_from_any_background(background: int) -> None:
    image = torch.full((1, 1, 50), background, dtype=torch.uint8)
    picture = overlay(image, torch.linspace(0.7, 1, 50)[None]).int()
    assert ((picture - background).abs().sum(dim=0) > 60).all()


def test_the_weight_of_the_colour_grows_with_the_heat() -> None:
    black = torch.zeros(1, 1, 101, dtype=torch.uint8)
    light = overlay(black, torch.linspace(0, 1, 101)[None]).int().sum(dim=0)[0]
    assert (light.diff() >= 0).all()
    assert light[20] < 0.05 * light[100]


@pytest.mark.parametrize("threshold", [0.0, 0.3, 0.5, 1.0])
def test_heat_begins_just_below_the_threshold(threshold: float) -> None:
    image, heat = torch.full((1, 1, 256), 90, dtype=torch.uint8), torch.linspace(0, 1, 256)[None]
    changed = overlay(image, heat, 1, threshold=threshold).ne(90).any(dim=0)
    assert not changed[heat < threshold - 0.1].any()
    assert changed[heat > threshold - 0.09].all() or threshold == 0


def test_peaks_stay_visible_if_all_pixels_are_over_a_low_threshold() -> None:
    image, heat = torch.full((1, 1, 3), 128, dtype=torch.uint8), torch.tensor([[0.2, 0.6, 1.0]])
    low, middle, high = overlay(image, heat, threshold=0.05).int().unbind(dim=2)
    assert (low - middle).abs().sum() > 40 and (middle - high).abs().sum() > 40


def test_memory_beside_the_result_does_not_grow_with_the_picture() -> None:
    image, heat = torch.zeros(3, 4096, 2048, dtype=torch.uint8), torch.zeros(4096, 2048)
    tracemalloc.start()  # NumPy reports its arrays
    result = overlay(image, heat)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak - result.numel() < 8 * 2**20


def test_arguments_are_not_changed() -> None:
    image, heat = torch.full((1, 2, 2), 9, dtype=torch.uint8), torch.ones(2, 2)
    overlay(image, heat)[:] = 0
    assert image.eq(9).all() and heat.eq(1).all()


@pytest.mark.parametrize(
    ("image", "heat", "opacity", "argument"),
    [
        (torch.zeros(4, 2, 2, dtype=torch.uint8), torch.zeros(2, 2), 0.5, "image"),
        (torch.zeros(2, 2, dtype=torch.uint8), torch.zeros(2, 2), 0.5, "image"),
        (torch.zeros(3, 2, 2), torch.zeros(2, 2), 0.5, "image"),
        (torch.zeros(3, 2, 2, dtype=torch.uint8), torch.zeros(2, 3), 0.5, "heat"),
        (torch.zeros(3, 2, 2, dtype=torch.uint8), torch.zeros(2, 2), 1.1, "opacity"),
        (torch.zeros(3, 2, 2, dtype=torch.uint8), torch.zeros(2, 2), float("nan"), "opacity"),
    ],
)
def test_arguments_that_do_not_fit_together_are_refused(
    image: Tensor, heat: Tensor, opacity: float, argument: str
) -> None:
    with pytest.raises(ValueError, match=rf"^{argument} "):
        overlay(image, heat, opacity)


def test_a_threshold_outside_its_range_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^threshold "):
        overlay(torch.zeros(1, 2, 2, dtype=torch.uint8), torch.zeros(2, 2), threshold=1.5)
