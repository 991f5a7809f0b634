import pytest
import torch
from scipy import ndimage
from torch.nn import functional as F

from app.scoring import Grid, MapRule, anomaly_map, resize_map


def blurred(picture: torch.Tensor) -> torch.Tensor:
    """SciPy's filter of the same sigma and radius; its `mirror` is what torch calls `reflect`."""
    return torch.from_numpy(ndimage.gaussian_filter(picture.double().numpy(), 4.0, mode="mirror", truncate=4.0)).float()


@pytest.mark.parametrize(
    ("upsampling", "mode", "aligned"),
    [("nearest", "nearest", None), ("bilinear", "bilinear", False), ("aligned", "bilinear", True)],
)
@pytest.mark.parametrize("blur", [False, True])
@pytest.mark.parametrize("size", [(64, 96), (1040, 1024)])
def test_maps_on_the_grid_are_interpolated_and_blurred(
    upsampling: str, mode: str, aligned: bool | None, blur: bool, size: tuple[int, int]
) -> None:
    """In several bands, too: the larger size has more than one."""
    distances = torch.rand(size[0] // 8, size[1] // 8)
    rule = MapRule(upsampling, blur=blur)  # type: ignore[arg-type]  # a parameter is a str
    found = anomaly_map([Grid(distances, (1 / 8, 1 / 8))], size, rule)
    expected = F.interpolate(distances[None, None], size=size, mode=mode, align_corners=aligned)[0, 0]
    torch.testing.assert_close(found, blurred(expected) if blur else expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("upsampling", ["nearest", "bilinear"])
def test_maps_off_the_grid_are_those_of_the_grid_cut_off(upsampling: str) -> None:
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
    torch.testing.assert_close(anomaly_map([grid], size, MapRule("nearest", blur=True)), torch.full(size, 3.0))


def test_maps_are_resized_to_the_picture() -> None:
    assert resize_map(torch.rand(8, 8), (20, 30)).shape == (20, 30)
    original = torch.rand(8, 8)
    assert resize_map(original, (8, 8)) is original
