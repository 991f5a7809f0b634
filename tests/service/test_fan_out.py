"""A picture that several engines compute equals that of one device, whatever becomes of the engines."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import numpy as np
import pytest
import torch
from torch import Tensor

from app.admission import TileQueue
from app.artifacts import Artifact, ModelRepository, load_artifact, write_artifact
from app.errors import NotFinite, VersionNotFound
from app.pipeline import BlockPixels, MeasuredBlock, Question, Roi, TensorRows, predict
from app.pipeline.division import block_rows
from app.scheduling import DeviceWorker, Job
from app.scheduling.work import Finished
from app.service import ModelCatalogue
from app.service.engines import EngineHost, EngineState, ModelVersion
from app.service.fan_out import ATTEMPTS, Engines, FanOut
from app.service.large import predict_large
from tests.conftest import RECORD
from tests.interposing import Turnstile
from tests.scheduling.test_worker import Recorder, fail_always
from tests.waiting import WAIT_S, wait_until

T = TypeVar("T")
SIZE = 520, 600
REGION = Roi(90, 120, 300, 333)


class Process:
    """The models and the device of another process, as far as they can be had in this one."""

    def __init__(self, root: Path) -> None:
        self.observer = Recorder()
        self.queue: TileQueue[Job] = TileQueue(64, lambda: 0.0)
        self.worker = DeviceWorker([torch.device("cpu")], queue=self.queue, observer=self.observer)
        self.catalogue = ModelCatalogue(ModelRepository(root), [torch.device("cpu")])
        self.catalogue.refresh()
        self.host = EngineHost(self.catalogue, self.worker)
        self.worker.start()

    @property
    def tiles(self) -> int:
        """The number of tiles that its device has computed."""
        return sum(tiles for tiles, _ in self.observer.batches)


class Elsewhere:
    """An engine as a server sees it: by its state, which it has asked for before, and by the digests of versions."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.state = EngineState("", 0, frozenset(), 0, 0.0)
        self.in_flight = self.most_in_flight = 0
        self.before: Callable[[], Awaitable[None]] | None = None
        self.is_silent = False

    def room(self, artifact: Artifact) -> int:
        return self.state.room if artifact.digest in self.state.digests else 0

    async def refresh(self) -> None:
        if not self.is_silent:
            self.state = self.process.host.state

    async def measure(self, artifact: Artifact, pixels: BlockPixels, *, background: bool) -> Finished[MeasuredBlock]:
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            if self.before is not None:
                await self.before()
            return await self.process.host.measure(ModelVersion.of(artifact), pixels, background=background)
        finally:
            self.in_flight -= 1


@contextmanager
def processes(*roots: Path) -> Iterator[list[Process]]:
    found = [Process(root) for root in roots]
    try:
        yield found
    finally:
        for each in found:
            each.worker.stop(finish_running=False)


@asynccontextmanager
async def fanning(
    server: Process, *others: Process, own: bool = False
) -> AsyncIterator[tuple[FanOut, list[Elsewhere]]]:
    engines = [Elsewhere(each) for each in others]
    fan_out = FanOut(server.worker, Engines(engines, own, least_tiles=1))
    fan_out.start()
    try:
        for each in engines:
            await each.refresh()
        yield fan_out, engines
    finally:
        await fan_out.close()


async def divided(
    fan_out: FanOut, server: Process, artifact: Artifact, image: Tensor, roi: Roi | None = None
) -> Tensor:
    """The map of a picture that is divided; its score must be that of the undivided one."""
    plan = artifact.model.plan(image.shape[1], image.shape[2], roi)
    assert fan_out.divides(artifact, plan)
    with server.worker.admit(plan.count) as ticket:
        done = await fan_out.predict(ticket, artifact, image, roi)
    assert done.device_s > 0
    whole = predict(artifact.model, image, roi=roi)
    assert done.outcome.raw_score == pytest.approx(whole.raw_score, rel=1e-5)
    largest = float(whole.anomaly_map.max())
    torch.testing.assert_close(done.outcome.anomaly_map, whole.anomaly_map, rtol=0, atol=2e-5 * largest)
    return done.outcome.anomaly_map


def drawn(size: tuple[int, int] = SIZE) -> Tensor:
    generator = torch.Generator().manual_seed(sum(size))
    found = (torch.randn(3, *size, generator=generator) * 6 + 128).clamp(0, 255).to(torch.uint8)
    found[:, size[0] // 3 : size[0] // 3 + 16, size[1] // 2 : size[1] // 2 + 24] = 255
    return found


def within_limit(work: Awaitable[T]) -> T:
    async def limited() -> T:
        async with asyncio.timeout(WAIT_S):
            return await work

    return asyncio.run(limited())


def test_two_engines_compute_the_map_of_one(models_dir: Path) -> None:
    async def run() -> None:
        with processes(models_dir, models_dir, models_dir) as (server, first, second):
            artifact = server.catalogue.get("patchcore")
            async with fanning(server, first, second) as (fan_out, engines):
                await divided(fan_out, server, artifact, drawn())
                assert server.tiles == 0 and server.observer.ends == ["done"]
                rows = block_rows(artifact.model, artifact.model.plan(*SIZE), SIZE, None, fan_out.room(artifact))
                assert first.tiles + second.tiles == sum(block.plan.count for row in rows for block in row.blocks)
                assert min(first.tiles, second.tiles) > 0
                assert all(each.most_in_flight == each.state.room for each in engines)
                await divided(fan_out, server, artifact, drawn(), REGION)
                random = np.random.default_rng(5)
                for size in random.integers(1, 400, (4, 2)).tolist():
                    await divided(fan_out, server, artifact, drawn(tuple(size)))
                await divided(fan_out, server, server.catalogue.get("padim"), drawn())

    within_limit(run())


def test_the_own_device_may_be_one_of_the_engines(models_dir: Path) -> None:
    async def run() -> None:
        with processes(models_dir, models_dir) as (server, other):
            async with fanning(server, other, own=True) as (fan_out, _):
                await divided(fan_out, server, server.catalogue.get("patchcore"), drawn())
                assert server.tiles and other.tiles

    within_limit(run())


def test_blocks_of_an_engine_that_dies_are_computed_by_the_others(models_dir: Path) -> None:
    async def run() -> None:
        with processes(models_dir, models_dir, models_dir) as (server, first, second):
            artifact = server.catalogue.get("patchcore")
            async with fanning(server, first, second) as (fan_out, engines):

                async def die_with_the_second_block() -> None:
                    if engines[0].in_flight > 1 and first.worker.healthy:
                        await asyncio.to_thread(first.worker.stop, finish_running=False)

                engines[0].before = die_with_the_second_block
                await divided(fan_out, server, artifact, drawn())
                assert not first.worker.healthy and server.tiles == 0
                await engines[0].refresh()
                assert engines[0].room(artifact) == 0
                before = second.tiles
                await divided(fan_out, server, artifact, drawn())
                assert second.tiles > before

    within_limit(run())


def test_the_server_computes_what_no_engine_can(models_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.service.fan_out.AGAIN_S", 0.001)

    async def run() -> None:
        with processes(models_dir, models_dir) as (server, other):
            artifact = server.catalogue.get("patchcore")
            async with fanning(server, other) as (fan_out, engines):
                engines[0].is_silent = True
                other.worker.stop()
                assert engines[0].room(artifact)  # not known yet
                await divided(fan_out, server, artifact, drawn((200, 200)))
                assert server.tiles > 0 == other.tiles
                engines[0].is_silent = False
                await engines[0].refresh()
                assert not fan_out.divides(artifact, artifact.model.plan(*SIZE))

    within_limit(run())


def test_a_block_is_tried_a_bounded_number_of_times(models_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.service.fan_out.AGAIN_S", 0.001)
    tries = 0

    async def run() -> None:
        nonlocal tries
        with processes(models_dir, models_dir) as (server, other):
            artifact = server.catalogue.get("patchcore")
            async with fanning(server, other) as (fan_out, engines):

                async def count() -> None:
                    nonlocal tries
                    tries += 1

                engines[0].before, engines[0].is_silent = count, True
                other.worker.stop()
                await divided(fan_out, server, artifact, drawn((64, 64)))

    within_limit(run())
    assert tries == ATTEMPTS


def test_numbers_that_are_not_finite_fail_the_picture_as_in_one_process(models_dir: Path) -> None:
    async def run() -> None:
        with processes(models_dir, models_dir) as (server, other):
            artifact = server.catalogue.get("patchcore")
            fail_always(other.catalogue.get("patchcore").model, NotFinite("the model computed NaN"))
            async with fanning(server, other) as (fan_out, _):
                with pytest.raises(NotFinite), server.worker.admit(8) as ticket:
                    await fan_out.predict(ticket, artifact, drawn(), None)
                assert server.observer.ends == ["failed"] and server.tiles == 0

    within_limit(run())


def test_engines_that_serve_other_files_are_refused_by_digest(models_dir: Path, tmp_path: Path) -> None:
    shutil.copytree(models_dir, tmp_path / "models")
    shutil.rmtree(tmp_path / "models" / "patchcore")
    other_files = load_artifact(ModelRepository(models_dir).find("patchcore", 1)).model
    for _ in range(2):
        write_artifact(other_files, ModelRepository(tmp_path / "models"), "patchcore", replace(RECORD, seed=1))

    async def run() -> None:
        with processes(models_dir, tmp_path / "models") as (server, other):
            artifact = server.catalogue.get("patchcore")
            async with fanning(server, other) as (fan_out, _):
                assert not fan_out.divides(artifact, artifact.model.plan(*SIZE))
                rows = block_rows(artifact.model, artifact.model.plan(*SIZE), SIZE, None, 2)
                pixels = BlockPixels.of(drawn(), rows[0].blocks[0])
                with pytest.raises(VersionNotFound, match="the digest"):
                    await other.host.measure(ModelVersion.of(artifact), pixels, background=False)

    within_limit(run())


def test_blocks_of_a_client_that_leaves_are_dropped(models_dir: Path) -> None:
    async def run() -> None:
        with processes(models_dir, models_dir) as (server, other):
            artifact, turnstile = server.catalogue.get("patchcore"), Turnstile(other.catalogue.get("patchcore").model)
            async with fanning(server, other) as (fan_out, engines):

                async def predicted() -> None:
                    with server.worker.admit(300) as ticket:
                        await fan_out.predict(ticket, artifact, drawn((1000, 1000)), None)

                task = asyncio.create_task(predicted())
                await asyncio.to_thread(wait_until, lambda: engines[0].in_flight > 0)
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
                assert server.worker.tiles == 0 and server.observer.ends == ["dropped"]
                await asyncio.to_thread(wait_until, lambda: engines[0].in_flight == 0)
                turnstile.open()
                await divided(fan_out, server, artifact, drawn((64, 64)))
                assert other.tiles <= artifact.model.batch_tiles + 1  # the batch that was running, and this picture

    within_limit(run())


def test_the_picture_of_a_job_is_divided_in_the_background(models_dir: Path, tmp_path: Path) -> None:
    image, reported = drawn((700, 300)), list[int]()

    def report(stage: str, done: int, total: int, note: str = "") -> None:
        reported.append(done)

    async def run() -> None:
        with processes(models_dir, models_dir, models_dir) as (server, first, second):
            artifact = server.catalogue.get("patchcore")
            for name in ("alone", "divided"):
                (tmp_path / name).mkdir()
            alone = predict_large(artifact, TensorRows(image), Question(), tmp_path / "alone", report)
            reported.clear()
            async with fanning(server, first, second) as (fan_out, _):

                def work() -> None:
                    with fan_out.background(artifact, lambda: None) as runner:
                        found = predict_large(
                            artifact, TensorRows(image), Question(), tmp_path / "divided", report, runner=runner
                        )
                    one, other = found.judged.judgement, alone.judged.judgement
                    assert one.score == pytest.approx(other.score, rel=1e-4)
                    assert [(each.top, each.left, each.height, each.width) for each in one.regions] == [
                        (each.top, each.left, each.height, each.width) for each in other.regions
                    ]

                await asyncio.to_thread(work)
            assert first.tiles and second.tiles and not server.tiles
            assert len(reported) > 2 and reported == sorted(reported) and reported[-1] == 700

    within_limit(run())
    alone, divided_map = (np.fromfile(tmp_path / name / "map", np.float32) for name in ("alone", "divided"))
    np.testing.assert_allclose(divided_map, alone, rtol=0, atol=2e-5 * alone.max())


def test_a_job_that_is_not_wanted_any_more_drops_its_blocks(models_dir: Path, tmp_path: Path) -> None:
    class Unwanted(Exception):
        """Stands for a job that was cancelled."""

    async def run() -> None:
        with processes(models_dir, models_dir) as (server, other):
            artifact, turnstile = server.catalogue.get("patchcore"), Turnstile(other.catalogue.get("patchcore").model)
            async with fanning(server, other) as (fan_out, engines):

                def check() -> None:
                    if engines[0].in_flight == engines[0].state.room:
                        raise Unwanted

                def work() -> None:
                    with fan_out.background(artifact, check) as runner:
                        predict_large(
                            artifact, TensorRows(drawn()), Question(), tmp_path, lambda *_: None, runner=runner
                        )

                with pytest.raises(Unwanted):
                    await asyncio.to_thread(work)
                await asyncio.to_thread(wait_until, lambda: engines[0].in_flight == 0)
                turnstile.open()

    within_limit(run())
