import pytest
import torch

from app.admission.costs import FLOAT, cost_of, stitcher_bytes
from app.detectors import DETECTORS, Subspace
from app.pipeline import Preprocessing, Roi, TiledModel
from app.tiling import Tiling
from tests.building import build_detector


@pytest.mark.parametrize("name", DETECTORS)
def test_a_detector_says_how_many_channels_its_features_have(name: str) -> None:
    detector = build_detector(name).eval()
    with torch.no_grad():
        features = detector.embed(torch.zeros(1, 3, detector.tile_multiple, detector.tile_multiple))
    assert detector.feature_channels == tuple(each.shape[1] for each in features)


def model(stride: int, image_size: tuple[int, int] | None = None) -> TiledModel:
    return TiledModel(Subspace(), Preprocessing(image_size), Tiling(tile_size=256, stride=stride))


def test_padding_and_overlap_are_priced_before_anything_is_decoded() -> None:
    found = model(128)
    thin = cost_of(found, found.plan(1, 100_000), (1, 100_000), None)
    assert thin.canvas_pixels >= 256 * 100_000
    assert thin.tiles >= 100_000 // 128 - 1
    whole = cost_of(found, found.plan(2048, 2048), (2048, 2048), None)
    part = cost_of(found, found.plan(2048, 2048, Roi(0, 0, 100, 100)), (2048, 2048), Roi(0, 0, 100, 100))
    assert part.canvas_pixels < whole.canvas_pixels / 4 and part.tiles < whole.tiles / 4
    assert 7 * 2048 * 2048 <= part.memory_bytes <= whole.memory_bytes


def test_memory_counts_the_file_the_pixels_the_stitched_rows_and_what_is_drawn() -> None:
    overlapping, disjoint = model(128), model(256)
    plan = overlapping.plan(512, 1024)
    (channels,) = overlapping.detector.feature_channels
    assert stitcher_bytes(overlapping, plan) == 2 * FLOAT * channels * (256 // 8) * (1024 // 8)
    assert stitcher_bytes(disjoint, disjoint.plan(512, 1024)) == 0
    size = 4096, 4096
    plain = cost_of(disjoint, disjoint.plan(*size), size, None)
    larger = cost_of(disjoint, disjoint.plan(*size), size, None, file_bytes=10**8, drawn_bytes=12)
    assert larger.memory_bytes > plain.memory_bytes + 8 * 4096 * 4096
    resized = model(256, (256, 256))
    assert cost_of(resized, resized.plan(*size), size, None).tiles == 1


def test_a_picture_that_is_not_tiled_is_priced_with_its_network() -> None:
    untiled = TiledModel(Subspace(), Preprocessing(), Tiling(enable=False))
    cost = cost_of(untiled, untiled.plan(1024, 1024), (1024, 1024), None)
    assert cost.memory_bytes > untiled.detector.activation_bytes(1024 * 1024)
