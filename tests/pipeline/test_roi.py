"""The map of a region of interest equals the whole picture's map there, and is computed from fewer tiles."""

from itertools import product

import pytest
import torch

from app.detectors import DETECTORS
from app.errors import InvalidRegion
from app.pipeline import Outcome, Roi, TiledModel, predict
from app.tiling import Blend, PaddingFill, Size, Tiling, TilingMode
from tests.pipeline.conftest import Build

SIZE = (202, 282)  # 4 x 5 tiles of 64 pixels
TILINGS = {
    "side by side": Tiling(tile_size=64),
    "overlapping": Tiling(tile_size=64, stride=32),
    "borders left out": Tiling(tile_size=64, stride=32, remove_border_count=16),
    "halo": Tiling(tile_size=64, halo=16),
    "blended": Tiling(tile_size=64, stride=32, blend=Blend.gaussian),
    "stretched": Tiling(tile_size=64, stride=48, mode=TilingMode.interpolation),
    "covering": Tiling(tile_size=64, stride=48, mode=TilingMode.cover, halo=16, padding_fill=PaddingFill.reflect),
    "within": Tiling(tile_size=64, stride=48, mode=TilingMode.within, halo=32, padding_fill=PaddingFill.reflect),
    "whole": Tiling(enable=False),
}
FEW = ("stfpm", "subspace")
"""One with features of several strides and one with one: how tiles are stitched does not depend on more of them."""
OTHERS = sorted(DETECTORS.keys() - set(FEW))
REGIONS = {
    "inside": Roi(56, 136, 50, 70),
    "a pixel": Roi(101, 77, 1, 1),
    "first corner": Roi(0, 0, 40, 33),
    "last corner": Roi(192, 262, 10, 20),
    "a row": Roi(64, 0, 1, 282),
    "a column": Roi(0, 129, 202, 2),
    "all": Roi(0, 0, *SIZE),
}


def picture(size: Size) -> torch.Tensor:
    """Noise with four blobs, so that the map differs from place to place."""
    found = (torch.randn(3, *size, generator=torch.Generator().manual_seed(9)) * 4 + 128).to(torch.uint8)
    for y, x in ((20, 30), (76, 166), (136, 36), (194, 272)):
        found[:, max(y - 3, 0) : y + 4, max(x - 3, 0) : x + 4] = 255
    return found


def assert_region_equals(model: TiledModel, image: torch.Tensor, whole: Outcome, roi: Roi) -> None:
    found = predict(model, image, 4, roi)
    expected = whole.anomaly_map[roi.top :, roi.left :][: roi.height, : roi.width]
    largest = float(whole.anomaly_map.max())
    torch.testing.assert_close(found.anomaly_map, expected, rtol=0, atol=1e-5 * largest)


@pytest.mark.parametrize(("name", "tiling"), [*product(FEW, TILINGS), *product(OTHERS, ["overlapping", "covering"])])
def test_the_map_of_a_region_equals_the_map_of_the_picture(build: Build, name: str, tiling: str) -> None:
    model, image = build(name, TILINGS[tiling], SIZE), picture(SIZE)
    whole = predict(model, image, 4)
    for region in REGIONS.keys() - {"all"}:  # whose plan is the picture's, as a test below shows
        assert_region_equals(model, image, whole, REGIONS[region])


@pytest.mark.parametrize(
    ("name", "tiling"), [*product(FEW, ["side by side", "overlapping", "stretched"]), *product(OTHERS, ["overlapping"])]
)
@pytest.mark.parametrize("size", [(150, 200), (400, 500)])
def test_regions_of_resized_pictures_are_equal_too(build: Build, name: str, tiling: str, size: Size) -> None:
    model, image = build(name, TILINGS[tiling], (192, 256), (192, 256)), picture(size)
    whole = predict(model, image, 4)
    for roi in (Roi(60, 90, 30, 40), Roi(0, 0, 9, 11), Roi(size[0] - 5, size[1] - 7, 5, 7), Roi(0, 0, *size)):
        assert_region_equals(model, image, whole, roi)


@pytest.mark.parametrize("name", sorted(DETECTORS))
def test_only_tiles_that_the_map_of_a_region_depends_on_are_computed(build: Build, name: str) -> None:
    model = build(name, Tiling(tile_size=64), SIZE)
    margin = 64 if name == "reverse_distillation" else 32  # its aligned cells are displaced by up to one cell
    for roi in REGIONS.values():
        plan, whole = model.plan(*SIZE, roi), model.plan(*SIZE)
        rows, columns = (
            sum(start - margin < stop and start + 64 + margin > first for start in axis.starts)
            for axis, first, stop in (
                (whole.y, roi.top, roi.top + roi.height),
                (whole.x, roi.left, roi.left + roi.width),
            )
        )
        assert plan.rows <= rows and plan.columns <= columns
        assert plan.count == model.prepare(picture(SIZE), roi).plan.count
    assert model.plan(*SIZE, REGIONS["a pixel"]).count <= 4 < 20 == model.plan(*SIZE).count
    assert model.plan(*SIZE, REGIONS["all"]) == model.plan(*SIZE)


@pytest.mark.parametrize("name", sorted(DETECTORS))
def test_the_map_of_a_region_depends_on_no_other_tiles(build: Build, name: str) -> None:
    """Other pixels outside the region's tiles do not change the map."""
    model, image = build(name, Tiling(tile_size=64), SIZE), picture(SIZE)
    roi = REGIONS["inside"]
    plan = model.plan(*SIZE, roi)
    first, last = predict(model, image, 4, roi), image.clone()
    kept = torch.zeros(SIZE, dtype=torch.bool)
    kept[plan.y.origin : plan.y.starts[-1] + 64, plan.x.origin : plan.x.starts[-1] + 64] = True
    last[:, ~kept] = 0
    assert torch.equal(predict(model, last, 4, roi).anomaly_map, first.anomaly_map)


@pytest.mark.parametrize("name", sorted(DETECTORS))
def test_a_defect_beside_a_region_does_not_raise_its_score(build: Build, name: str) -> None:
    model, image = build(name, Tiling(tile_size=64), SIZE), picture(SIZE)
    calm = image.clone()
    calm[:, 66:86, 156:176] = calm[:, 36:56, 156:176]  # replaces the blob
    beside = Roi(104, 136, 20, 60)  # in the blob's tile, beyond the reach of its cells and blur
    outcomes = [predict(model, each, 4, beside) for each in (image, calm)]
    whole = predict(model, image, 4)
    assert outcomes[0].raw_score < 0.9 * whole.raw_score
    if name != "patchcore":  # its score is that of a patch and not of a pixel
        assert outcomes[0].raw_score == pytest.approx(float(outcomes[0].anomaly_map.max()))


def test_patchcores_score_counts_the_patches_inside_the_region(build: Build) -> None:
    model, image = build("patchcore", Tiling(tile_size=64), SIZE), picture(SIZE)
    model.detector.num_neighbors = 1  # type: ignore[assignment]  # a Patchcore's
    prepared = model.prepare(image)
    features = torch.cat([each[0] for each in model.outputs(prepared, 4)])
    (distances,) = model.detector.measure((features,), [prepared.plan.place(number) for number in range(20)]).distances
    cells = distances.view(4, 5, 8, 8).permute(0, 2, 1, 3).reshape(32, 40)
    for roi in (REGIONS[name] for name in ("inside", "a pixel", "first corner", "last corner")):
        rows = slice(roi.top // 8, -(-(roi.top + roi.height) // 8))
        columns = slice(roi.left // 8, -(-(roi.left + roi.width) // 8))
        assert predict(model, image, 4, roi).raw_score == pytest.approx(float(cells[rows, columns].max()), rel=1e-5)


@pytest.mark.parametrize(
    "roi", [Roi(0, 0, 203, 5), Roi(0, 272, 5, 11), Roi(-1, 0, 5, 5), Roi(0, 0, 0, 5), Roi(0, 0, 5, 0)]
)
def test_a_region_outside_of_the_picture_is_refused(build: Build, roi: Roi) -> None:
    model = build("stfpm", Tiling(tile_size=64), SIZE)
    with pytest.raises(InvalidRegion, match=f"x={roi.left}, y={roi.top}, width={roi.width}, height={roi.height}"):
        model.plan(*SIZE, roi)
    with pytest.raises(InvalidRegion):
        predict(model, picture(SIZE), 4, roi)
