"""Thumbnails go through the scheduler in the batches of other tiles."""

from dataclasses import replace

import pytest
import torch

from app.detectors import Subspace, with_thumbnail
from app.errors import Overloaded
from app.pipeline import Preprocessing, TiledModel, predict
from app.tiling import Tiling
from app.training.one_pass import fit
from tests.conftest import draw_surface
from tests.scheduling.test_worker import WAIT_S, running

SIZES = (96, 160), (64, 64), (200, 70)


def picture(seed: int, height: int = 96, width: int = 160) -> torch.Tensor:
    return torch.from_numpy(draw_surface(seed, height, width)).permute(2, 0, 1).contiguous()


@pytest.fixture(scope="module")
def model() -> TiledModel:
    torch.manual_seed(0)
    tiling = Tiling(tile_size=64, stride=32, thumbnail=True)
    detector = with_thumbnail(Subspace("resnet18", ("layer1", "layer2"), pre_trained=False), tiling)
    model = TiledModel(detector, Preprocessing(None), tiling)
    plan = model.plan(96, 160)
    fit(model, [picture(seed) for seed in range(4)], 4, (plan.y.cells(4), plan.x.cells(4)), 8)
    return model


@pytest.mark.parametrize("batch_tiles", [1, 3, 32])
def test_pictures_that_share_batches_have_the_outcomes_of_predict(model: TiledModel, batch_tiles: int) -> None:
    own = model.with_execution(replace(model.execution, batch_tiles=batch_tiles))
    pictures = [picture(77, *size) for size in SIZES]
    plans = [own.plan(*size) for size in SIZES]
    with running() as (worker, observer):
        waiting = [
            worker.submit(worker.admit(plan.count), [own], each) for plan, each in zip(plans, pictures, strict=True)
        ]
        outcomes = [each.result(WAIT_S).outcome for each in waiting]
    for outcome, each in zip(outcomes, pictures, strict=True):
        expected = predict(own, each)
        assert outcome.raw_score == pytest.approx(expected.raw_score, rel=1e-4)
        torch.testing.assert_close(outcome.anomaly_map, expected.anomaly_map, rtol=1e-4, atol=1e-5)
    assert sum(tiles for tiles, _ in observer.batches) == sum(plan.count for plan in plans)
    assert sum(plan.count - plan.in_grid for plan in plans) == len(SIZES)


def test_a_thumbnail_takes_room_in_the_queue(model: TiledModel) -> None:
    count = model.plan(96, 160).in_grid
    with running(queue_tiles=2 * count + 1) as (worker, _), worker.admit(model.plan(96, 160).count):
        with worker.admit(count):
            pass
        with pytest.raises(Overloaded):
            worker.admit(model.plan(96, 160).count)
