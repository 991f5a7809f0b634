import pytest
import torch

from app.detectors.bounded import has_fast_int8
from app.detectors.coded_points import CodedPoints
from tests.neighbours import FAMILIES, Family

CODES = [pytest.param(True, marks=pytest.mark.skipif(not has_fast_int8(), reason="no VNNI")), False]


@pytest.mark.parametrize("channels", [3, 300])
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("int8", CODES)
def test_bounds_become_the_distances_to_the_nearest_centres(int8: bool, family: Family, channels: int) -> None:
    """Up to the rounding of float32. The bounds of the returned points stay unchanged."""
    points = family(2500, channels, torch.Generator().manual_seed(0))
    centres, known = points[:300], points[300:400]
    squares = torch.cdist(points.double(), known.double()).square()
    rounding = 4 * (channels + 8) * 2**-24 * 2 * points.double().square().sum(1).amax() + 1e-34
    bounds = squares.amin(1).float()
    expected = torch.minimum(bounds.double(), torch.cdist(points.double(), centres.double()).square().amin(1))
    before = bounds.clone()
    many = CodedPoints.of(points, int8).update(points, bounds, centres)
    assert torch.equal(bounds[many], before[many])
    done = torch.ones(2500, dtype=torch.bool).index_fill_(0, many, False)
    assert ((bounds.double() - expected).abs() <= expected * 1e-5 + rounding)[done].all()


@pytest.mark.parametrize("int8", CODES)
def test_selected_points_keep_their_codes(int8: bool) -> None:
    points, centres = torch.randn(1000, 8), torch.randn(100, 8)
    places = torch.randperm(1000)[:300]
    bounds = torch.full((1000,), 3.0)
    some = bounds[places]
    codes = CodedPoints.of(points, int8)
    codes.update(points, bounds, centres)
    codes.select(places).update(points[places], some, centres)
    torch.testing.assert_close(some, bounds[places])


def test_few_points_are_returned_if_bounds_to_near_centres_are_known() -> None:
    points = torch.randn(4000, 10) @ torch.randn(10, 200)
    bounds = torch.cdist(points, points[:1000]).square().amin(1)
    assert len(CodedPoints.of(points, int8=False).update(points, bounds, points[1000:1500])) < 40
