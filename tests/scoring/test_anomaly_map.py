import pytest
import torch
from scipy import ndimage
from torch.nn import functional as F

from app.scoring import Extent, Grid, MapRule, fill_map, fill_resized
from app.scoring.anomaly_map import BAND_COLUMNS, ROWS
from app.scoring.interpolation import Upsampling


def anomaly_map(grids: list[Grid], size: tuple[int, int], rule: MapRule) -> torch.Tensor:
    found = torch.empty(size)
    steps = list(fill_map(found, grids, rule))
    assert len(steps) == -(-size[0] // ROWS)
    return found


def blurred(picture: torch.Tensor, sigma: float) -> torch.Tensor:
    """SciPy's filter of the same sigma and radius; its `mirror` is what torch calls `reflect`."""
    found = ndimage.gaussian_filter(picture.double().numpy(), sigma, mode="mirror", truncate=4.0)
    return torch.from_numpy(found).float()


@pytest.mark.parametrize(
    ("upsampling", "mode", "aligned"),
    [("nearest", "nearest", None), ("bilinear", "bilinear", False), ("aligned", "bilinear", True)],
)
@pytest.mark.parametrize("sigma", [0.0, 1.7, 4.0, 30.0])
@pytest.mark.parametrize("size", [(64, 96), (1040, 1024)])
def test_maps_on_the_grid_are_interpolated_and_blurred(
    upsampling: str, mode: str, aligned: bool | None, sigma: float, size: tuple[int, int]
) -> None:
    """The larger size has several bands."""
    distances = torch.rand(size[0] // 8, size[1] // 8)
    rule = MapRule(upsampling, blur_sigma=sigma)  # type: ignore[arg-type]  # a parameter is a str
    found = anomaly_map([Grid(distances, (1 / 8, 1 / 8))], size, rule)
    expected = F.interpolate(distances[None, None], size=size, mode=mode, align_corners=aligned)[0, 0]
    torch.testing.assert_close(found, blurred(expected, sigma) if sigma else expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("upsampling", ["nearest", "bilinear"])
def test_maps_off_the_grid_are_cropped_maps_of_the_grid(upsampling: str) -> None:
    distances, rule = torch.rand(8, 12), MapRule(upsampling)  # type: ignore[arg-type]  # a parameter is a str
    grid = Grid(distances, (1 / 8, 1 / 8))
    assert torch.equal(anomaly_map([grid], (59, 91), rule), anomaly_map([grid], (64, 96), rule)[:59, :91])


@pytest.mark.parametrize(("combine", "expected"), [("sum", 5.0), ("product", 6.0)])
def test_layers_are_combined(combine: str, expected: float) -> None:
    grids = [Grid(torch.full((4, 4), 2.0), (1 / 8, 1 / 8)), Grid(torch.full((2, 2), 3.0), (1 / 16, 1 / 16))]
    found = anomaly_map(grids, (32, 32), MapRule("bilinear", combine))  # type: ignore[arg-type]  # a parameter is a str
    torch.testing.assert_close(found, torch.full((32, 32), expected))


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (16, 3), (17, 17)])
def test_pictures_smaller_than_the_blur_stay_constant(size: tuple[int, int]) -> None:
    grid = Grid(torch.full((-(-size[0] // 8), -(-size[1] // 8)), 3.0), (1 / 8, 1 / 8))
    torch.testing.assert_close(anomaly_map([grid], size, MapRule("nearest", blur_sigma=4.0)), torch.full(size, 3.0))


@pytest.mark.parametrize("size", [(20, 30), (3, 700), (1, 1), (300, 5)])
def test_maps_are_resized_to_the_picture(size: tuple[int, int]) -> None:
    original, found = torch.rand(40, 50), torch.empty(size)
    assert len(list(fill_resized(found, original))) == -(-size[0] // ROWS)
    # In float32 `interpolate` rounds positions, which would cause most of the difference.
    expected = F.interpolate(original.double()[None, None], size=size, mode="bilinear")[0, 0].float()
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("sigma", [0.0, 1.7, 4.0, 30.0])
@pytest.mark.parametrize("size", [(64, 96), (600, 272)])
def test_products_are_formed_per_pixel_and_then_blurred(sigma: float, size: tuple[int, int]) -> None:
    fine, coarse = torch.rand(size[0] // 4, size[1] // 4), torch.rand(size[0] // 8, size[1] // 8)
    grids = [Grid(fine, (1 / 4, 1 / 4)), Grid(coarse, (1 / 8, 1 / 8))]
    found = anomaly_map(grids, size, MapRule("aligned", "product", sigma))
    layers = [
        F.interpolate(each[None, None], size=size, mode="bilinear", align_corners=True) for each in (fine, coarse)
    ]
    expected = (layers[0] * layers[1])[0, 0]
    torch.testing.assert_close(found, blurred(expected, sigma) if sigma else expected, rtol=1e-4, atol=1e-5)


def test_sums_of_layers_are_blurred() -> None:
    fine, coarse = torch.rand(100, 80), torch.rand(50, 40)
    grids = [Grid(fine, (1 / 4, 1 / 4)), Grid(coarse, (1 / 8, 1 / 8))]
    found = anomaly_map(grids, (400, 320), MapRule("bilinear", "sum", blur_sigma=4.0))
    layers = [F.interpolate(each[None, None], size=(400, 320), mode="bilinear")[0, 0] for each in (fine, coarse)]
    torch.testing.assert_close(found, blurred(layers[0] + layers[1], 4.0), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("upsampling", ["nearest", "bilinear", "aligned"])
@pytest.mark.parametrize("combine", ["sum", "product"])
def test_tiny_values_keep_their_digits_beside_large_ones(upsampling: Upsampling, combine: str) -> None:
    """A product of layers spans many powers of ten: a pixel must not depend on cells outside of its neighbourhood."""
    distances = torch.full((40, 40), 1e-12)
    distances[20, 20] = 1
    found = anomaly_map([Grid(distances, (1 / 8, 1 / 8))], (320, 320), MapRule(upsampling, combine))  # type: ignore[arg-type]  # a parameter is a str
    torch.testing.assert_close(found[:100, :100], torch.full((100, 100), 1e-12), rtol=1e-5, atol=0)


@pytest.mark.parametrize("rule", [MapRule("bilinear", blur_sigma=4.0), MapRule("aligned", "product", 4.0)])
def test_wide_maps_are_computed_in_bands_of_columns_and_of_rows(rule: MapRule) -> None:
    size = 300, BAND_COLUMNS + 100
    grids = [Grid(torch.rand(-(-size[0] // n), -(-size[1] // n)), (1 / n, 1 / n)) for n in (8, 16)]
    found = torch.empty(size)
    assert len(list(fill_map(found, grids, rule))) == 4
    first = 290, BAND_COLUMNS - 60  # a part that lies in all four bands
    part = torch.empty(10, 160)
    list(fill_map(part, grids, rule, Extent(size, first)))
    torch.testing.assert_close(found[first[0] :, first[1] :], part, rtol=1e-5, atol=1e-6)
