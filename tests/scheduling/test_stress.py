"""Many pictures of many sizes at once have the outcomes of `predict`, despite cancellations and failures."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from random import Random
from time import monotonic

import pytest
import torch
from torch import Tensor

from app.admission import TileQueue
from app.artifacts import ModelRepository, load_artifact
from app.detectors import Features
from app.errors import EngineStopped, InsufficientMemory
from app.pipeline import Outcome, TiledModel, predict
from app.scheduling import DeviceWorker
from tests.conftest import draw_surface

REQUESTS = 300
SIZES = [
    (64, 64),
    (40, 50),
    (65, 64),
    (64, 97),
    (96, 96),
    (96, 160),
    (100, 70),
    (128, 64),
    (33, 200),
    (130, 66),
    (1, 1),
]
SIZES.append((160, 192))
WAIT_S = 120
CLOSE = 1e-4
"""The tolerance, as a share of the map's largest value: batches of other sizes are summed in another order."""


@pytest.fixture(scope="module")
def models(models_dir: Path) -> list[tuple[TiledModel, TiledModel]]:
    """Two models, each twice, for two devices."""
    repository = ModelRepository(models_dir)
    names = ("patchcore", "padim")
    first, second = ([load_artifact(repository.find(name, 1)).model for name in names] for _ in range(2))
    return list(zip(first, second, strict=True))


@pytest.fixture(scope="module")
def images() -> list[Tensor]:
    """A picture of each size."""
    assert len(set(SIZES)) == 12
    drawn = [draw_surface(seed, *size) for seed, size in enumerate(SIZES)]
    return [torch.from_numpy(picture).permute(2, 0, 1).contiguous() for picture in drawn]


@pytest.fixture(scope="module")
def expected(models: list[tuple[TiledModel, TiledModel]], images: list[Tensor]) -> list[list[Outcome]]:
    """The outcomes of `predict`, by model and picture."""
    return [[predict(model, image, 4) for image in images] for model, _ in models]


@contextmanager
def running(devices: int = 2) -> Iterator[DeviceWorker]:
    worker = DeviceWorker([torch.device("cpu")] * devices, queue=TileQueue(10**6, monotonic))
    worker.start()
    try:
        yield worker
    finally:
        worker.stop(finish_running=False)


def assert_equal(found: Outcome, expected: Outcome) -> None:
    scale = float(expected.anomaly_map.max())
    assert abs(found.raw_score - expected.raw_score) <= CLOSE * scale
    assert float((found.anomaly_map - expected.anomaly_map).abs().max()) <= CLOSE * scale


def test_300_pictures_of_12_sizes_have_the_outcomes_of_predict(
    models: list[tuple[TiledModel, TiledModel]], images: list[Tensor], expected: list[list[Outcome]]
) -> None:
    random = Random(0)  # noqa: S311
    requests = [(random.randrange(len(models)), number % len(images)) for number in range(REQUESTS)]
    random.shuffle(requests)
    with running() as worker:
        futures = []
        for model, image in requests:
            tiles = models[model][0].plan(*images[image].shape[-2:]).count
            futures.append(worker.submit(worker.admit(tiles), models[model], images[image]))
        for (model, image), future in zip(requests, futures, strict=True):
            assert_equal(future.result(WAIT_S).outcome, expected[model][image])
        assert worker.tiles == 0


class Mishaps:
    """Wraps `run` of models: white tiles raise ValueError; each 17th batch lacks memory, each 40th fails.

    A batch of a single tile never lacks memory. The failure of each 40th batch is one of the device. `lacked` and
    `failed` count both kinds.
    """

    def __init__(self) -> None:
        self._runs = count(1)
        self.lacked = self.failed = 0

    @contextmanager
    def on(self, *models: TiledModel) -> Iterator[None]:
        runs = [model.run for model in models]
        for model, run in zip(models, runs, strict=True):
            model.run = self._wrapped(run)  # type: ignore[method-assign,assignment]  # stands for a failing device
        try:
            yield
        finally:
            for model in models:
                del model.run

    def _wrapped(self, run: object) -> object:
        def run_or_fail(tiles: Tensor) -> Features:
            if (tiles[:, 0] > 2.2).any():  # white, normalised
                raise ValueError("poison")
            number = next(self._runs)
            if number % 17 == 0 and len(tiles) > 1:
                self.lacked += 1
                raise torch.OutOfMemoryError("out of memory")
            if number % 40 == 0:
                self.failed += 1
                raise torch.AcceleratorError("CUDA error: unspecified launch failure", 719)
            return run(tiles)  # type: ignore[no-any-return,operator]

        return run_or_fail


@pytest.mark.parametrize("seed", [1, 2])
def test_outcomes_equal_those_of_predict_under_cancellations_and_failures(
    models: list[tuple[TiledModel, TiledModel]], images: list[Tensor], expected: list[list[Outcome]], seed: int
) -> None:
    random, mishaps = Random(seed), Mishaps()  # noqa: S311
    ends = {"right": 0, "left": 0, "poisoned": 0, "failed": 0}

    async def ask(worker: DeviceWorker, number: int) -> None:
        model, image = random.randrange(len(models)), number % len(images)
        poisoned, patience_s = random.random() < 0.05, random.choice([None, None, 0.0, 0.05, 0.5, 2.0])
        await asyncio.sleep(random.random())
        picture = torch.full_like(images[image], 255) if poisoned else images[image]
        try:
            async with asyncio.timeout(patience_s):
                with worker.admit(models[model][0].plan(*picture.shape[-2:]).count) as ticket:
                    done = await asyncio.wrap_future(worker.submit(ticket, models[model], picture))
        except TimeoutError:
            ends["left"] += 1
        except ValueError as error:
            assert poisoned and str(error) == "poison"
            ends["poisoned"] += 1
        except (torch.AcceleratorError, InsufficientMemory):
            ends["failed"] += 1
        else:
            assert not poisoned
            assert_equal(done.outcome, expected[model][image])
            ends["right"] += 1

    async def all_at_once(worker: DeviceWorker) -> None:
        async with asyncio.timeout(WAIT_S), asyncio.TaskGroup() as group:
            for number in range(REQUESTS):
                group.create_task(ask(worker, number))

    with mishaps.on(*(model for pair in models for model in pair)), running() as worker:
        asyncio.run(all_at_once(worker))
        assert all(ends.values()) and sum(ends.values()) == REQUESTS
        assert ends["right"] > REQUESTS / 4
        assert mishaps.lacked > 0 and mishaps.failed > 0
    assert worker.tiles == 0


def test_stopping_with_many_pictures_in_flight_ends_all_of_them(
    models: list[tuple[TiledModel, TiledModel]], images: list[Tensor], expected: list[list[Outcome]]
) -> None:
    with running() as worker:
        futures = [worker.submit(worker.admit(1), models[0], image) for image in images * 5]
        futures[20].result(WAIT_S)
        worker.stop(finish_running=False)
        for number, future in enumerate(futures):
            error = future.exception(0)
            if error is None:
                assert_equal(future.result().outcome, expected[0][number % len(images)])
            else:
                assert isinstance(error, EngineStopped)
    assert worker.tiles == 0
