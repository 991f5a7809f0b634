"""Zones change maps and scores as their thresholds say, for every detector and rule of scores."""

import pytest
import torch

from app.detectors import DETECTORS
from app.pipeline import BlockGrid, Roi, TiledModel, edge_tiles, interpret, predict
from app.pipeline.assembly import Assembly, completed
from app.pipeline.joining import BlockAssembly, BlockPixels, MeasuredBlock, measured
from app.scoring import ScoreRule, calibration_at
from app.zones import Zone, Zones
from tests.pipeline.conftest import Build
from tests.pipeline.test_roi import SIZE, TILINGS, picture

HEIGHT, WIDTH = SIZE
TILING = TILINGS["covering"]


def box(left: float, top: float, right: float, bottom: float) -> tuple[tuple[tuple[float, float], ...]]:
    return (((left, top), (right, top), (right, bottom), (left, bottom)),)


def ignoring(*area: float) -> Zone:
    return Zone("ignored", (box(*area),))


def with_zones(model: TiledModel, *zones: Zone) -> TiledModel:
    return model.with_zones(Zones(SIZE, zones))


def rules(model: TiledModel) -> list[TiledModel]:
    """The model with each rule of scores that its detector knows."""
    if not hasattr(model.detector, "score"):
        return [model]
    found = []
    for rule in ScoreRule:
        detector = model.detector.twin()
        detector.score = rule  # type: ignore[assignment]  # a PatchDetector's
        found.append(model.with_detector(detector))
    return found


@pytest.mark.parametrize("name", sorted(DETECTORS))
def test_an_ignored_half_leaves_the_score_of_the_other_half(build: Build, name: str) -> None:
    image = picture(SIZE)
    for model in rules(build(name, TILING, SIZE)):
        whole = predict(model, image, 4)
        zoned = predict(with_zones(model, ignoring(0, 0, 128, HEIGHT)), image, 4)
        half = predict(model, image, 4, Roi(0, 128, HEIGHT, WIDTH - 128))
        assert zoned.raw_score == pytest.approx(half.raw_score, rel=1e-5)
        assert not zoned.anomaly_map[:, :128].any()
        assert torch.equal(zoned.anomaly_map[:, 128:], whole.anomaly_map[:, 128:])


@pytest.mark.parametrize("name", sorted(DETECTORS))
def test_a_threshold_divides_the_score_and_the_map(build: Build, name: str) -> None:
    image, everywhere = picture(SIZE), Zone("all", (box(0, 0, WIDTH, HEIGHT),), 2.5, 0.5)
    for model in rules(build(name, TILING, SIZE)):
        whole, zoned = predict(model, image, 4), predict(with_zones(model, everywhere), image, 4)
        assert zoned.raw_score == pytest.approx(whole.raw_score / 2.5, rel=1e-5)
        torch.testing.assert_close(zoned.anomaly_map, whole.anomaly_map * 2)


def test_a_picture_that_is_ignored_as_a_whole_is_normal_at_every_threshold(build: Build) -> None:
    model = build("patchcore", TILING, SIZE).with_calibration(calibration_at(1.0, 1.0))
    zoned = with_zones(model, ignoring(0, 0, WIDTH, HEIGHT))
    assert zoned.calibration is not None
    outcome = predict(zoned, picture(SIZE), 4)
    found = interpret(outcome, zoned.calibration)
    assert (outcome.raw_score, found.score, found.regions) == (0, 0, ())


def test_the_score_is_that_of_the_place_that_is_furthest_over_its_own_threshold(build: Build) -> None:
    model = build("stfpm", TILING, SIZE)
    whole = predict(model, picture(SIZE), 4)
    row, column = divmod(int(whole.anomaly_map.argmax()), WIDTH)
    around = box(max(column - 40, 0), max(row - 40, 0), min(column + 40, WIDTH), min(row + 40, HEIGHT))
    zoned = predict(with_zones(model, Zone("high", (around,), 4.0, 4.0)), picture(SIZE), 4)
    assert zoned.raw_score == pytest.approx(float(zoned.anomaly_map.max()))
    assert float(zoned.anomaly_map[row, column]) == pytest.approx(float(whole.anomaly_map[row, column]) / 4)


def test_zones_are_scaled_to_pictures_of_other_sizes(build: Build) -> None:
    model = build("stfpm", TILING, SIZE)
    half = Zones((HEIGHT // 2, WIDTH // 2), (ignoring(20, 10, 70, 60),))
    whole = with_zones(model, ignoring(40, 20, 140, 120))
    image = picture(SIZE)
    assert torch.equal(predict(model.with_zones(half), image, 4).anomaly_map, predict(whole, image, 4).anomaly_map)


@pytest.mark.parametrize("name", ["patchcore", "stfpm"])
def test_blocks_that_are_joined_equal_the_whole(build: Build, name: str) -> None:
    model = build(name, TILING, SIZE)
    model = with_zones(model, ignoring(30, 50, 170, 130), Zone("high", (box(150, 90, 282, 202),), 1.7, 1.2))
    image = picture(SIZE)
    whole = predict(model, image, 4)
    plan = model.plan(*SIZE)
    grid = BlockGrid(model, plan, None, (edge_tiles(30), edge_tiles(30)))
    blocks = [_measured(model, BlockPixels.of(image, block)) for block in grid.blocks]
    assert len(blocks) > 1
    joined = completed(BlockAssembly(model, plan, None, blocks, grid.coverage(set(grid.blocks))).finish())
    torch.testing.assert_close(joined.anomaly_map, whole.anomaly_map, rtol=0, atol=2e-5 * whole.raw_score)
    assert joined.raw_score == pytest.approx(whole.raw_score, rel=1e-4)


def _measured(model: TiledModel, pixels: BlockPixels) -> MeasuredBlock:
    prepared = pixels.upload(model)
    assembly = Assembly(model, prepared)
    for features in model.outputs(prepared, 4):
        for _ in assembly.add(features):
            pass
    return completed(measured(assembly, pixels.block, model.detector.map_strides))
