"""The time of each stage of a model's work is measured."""

from collections.abc import Generator
from time import perf_counter, sleep

import pytest
import torch

from app.pipeline import TiledModel, predict
from app.pipeline.stages import Stage, StageClock
from app.tiling import Tiling
from tests.pipeline.conftest import Build, noise

CPU = torch.device("cpu")


def timed(model: TiledModel) -> TiledModel:
    """The same model with an enabled clock."""
    return TiledModel(model.detector, model.preprocessing, model.tiling, time_stages=True)


@pytest.mark.parametrize("name", ["patchcore", "stfpm"])
@pytest.mark.parametrize("stride", [64, 32])
def test_the_stages_of_a_picture_take_most_of_its_time_and_change_nothing(build: Build, name: str, stride: int) -> None:
    plain = build(name, Tiling(tile_size=64, stride=stride))
    model, picture = timed(plain), noise(1, (160, 160))[0]
    started = perf_counter()
    outcome = predict(model, picture, 4)
    elapsed = perf_counter() - started
    totals = model.stages.totals()
    assert torch.equal(outcome.anomaly_map, predict(plain, picture, 4).anomaly_map)
    assert all(seconds.host_s == seconds.device_s for seconds in totals.values())
    assert all(totals[stage].host_s > 0 for stage in Stage)
    assert 0.5 * elapsed < sum(seconds.host_s for seconds in totals.values()) < elapsed


def test_a_disabled_clock_measures_nothing(build: Build) -> None:
    model = build("patchcore", Tiling(tile_size=64))
    predict(model, noise(1, (160, 160))[0])
    assert not any(seconds.host_s for seconds in model.stages.totals().values())


def test_time_between_the_steps_of_a_stage_is_not_counted() -> None:
    def work() -> Generator[None, None, str]:
        yield
        yield
        return "done"

    clock = StageClock(CPU, enabled=True)
    steps = clock.steps(Stage.map, work())
    count = 0
    try:
        while True:
            next(steps)
            count += 1
            sleep(0.05)
    except StopIteration as end:
        assert (count, end.value) == (2, "done")
    assert 0 < clock.totals()[Stage.map].host_s < 0.04


@pytest.mark.gpu
def test_events_measure_the_time_of_a_gpu() -> None:
    device = torch.device("cuda")
    clock, matrix = StageClock(device, enabled=True), torch.randn(4096, 4096, device=device)
    with clock.timed(Stage.network):
        for _ in range(50):
            matrix @ matrix
    total = clock.totals()[Stage.network]
    assert total.device_s > 1e-3
