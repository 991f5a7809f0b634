"""Divides large pictures among several engines, and stitches what they measured."""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from threading import Event

import torch
from torch import Tensor

from app.admission import Ticket
from app.artifacts import Artifact
from app.errors import (
    DeviceFailed,
    EngineStopped,
    InsufficientMemory,
    ModelLoading,
    ModelNotFound,
    VersionNotFound,
)
from app.pipeline import (
    Band,
    BandOutcome,
    BlockPixels,
    MeasuredBlock,
    Outcome,
    Roi,
    Run,
    Runner,
    Scan,
    TensorRows,
    use_processors,
)
from app.pipeline.division import AHEAD_PIXELS, ROW_PIXELS
from app.scheduling import DeviceWorker, Done, Job, worker_bands
from app.scheduling.bands import CHECK_S
from app.scheduling.work import Finished
from app.service.engines import Engine, WorkerEngine
from app.tiling import TilePlan

LEAST_TILES = 256
"""Pictures with fewer tiles are not divided by default: to send them takes longer than it gains."""
ATTEMPTS = 3
"""A block is given to engines so many times; then this process measures it."""
AGAIN_S = 0.25
"""The pause before a block is given to an engine again that has failed with it; it doubles each time."""
REFRESH_S = 2.0
"""How often engines are asked how much room they have."""
PICTURES = 4
"""The pictures that are divided at a time; others wait."""
ELSEWHERE = (DeviceFailed, EngineStopped, InsufficientMemory, ModelLoading, ModelNotFound, VersionNotFound)
"""Errors of one engine: another one may measure the block."""
DIVIDED_PIXELS = AHEAD_PIXELS + 2 * ROW_PIXELS
"""The most pixels of rows of blocks in memory: those that wait, and one that is joined."""
PIXEL_BYTES = 6
"""The bytes of a pixel in rows of blocks: in the row, and in the block that is sent."""

_log = logging.getLogger(__name__)


def divided_bytes(pixels: int) -> int:
    """The most memory that a divided picture with so many pixels takes beside what an undivided one takes."""
    return PIXEL_BYTES * min(pixels, DIVIDED_PIXELS)


@dataclass(frozen=True, slots=True)
class Engines:
    """The engines among which pictures are divided.

    others: those beside the devices of this process
    own: whether the devices of this process measure blocks, too; they always join them
    least_tiles: the number of tiles from which on a picture is divided
    """

    others: Sequence[Engine] = ()
    own: bool = False
    least_tiles: int = LEAST_TILES


class FanOut:
    """Predicts pictures in rows of blocks, which engines measure; the device worker of this process joins them.

    A block whose engine fails is given to another one, at most ATTEMPTS times; then `worker` measures it. Each engine
    has as many blocks in flight as it has room. Blocks of background work are counted apart, so that they keep nobody
    waiting. Without engines, all work is that of `worker`. Lives on one event loop, from `start` to `close`.
    """

    def __init__(self, worker: DeviceWorker, engines: Engines = Engines()) -> None:
        self._worker, self._own, self._least_tiles = worker, WorkerEngine(worker), engines.least_tiles
        own = [self._own] if engines.own and engines.others else []
        self._engines: list[Engine] = [*own, *engines.others]
        self._flight: Counter[tuple[Engine, bool]] = Counter()  # by engine, and whether it is background work
        self._threads = ThreadPoolExecutor(
            PICTURES,
            thread_name_prefix="tessera-divided",
            initializer=partial(use_processors, 1),  # the lanes need the other processors
        )
        self._loop: asyncio.AbstractEventLoop
        self._freed: asyncio.Event
        self._refreshing: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begins to ask the engines for their room. To be called on the event loop."""
        self._loop, self._freed = asyncio.get_running_loop(), asyncio.Event()
        if self._engines:
            self._refreshing = self._loop.create_task(self._refresh())

    async def close(self) -> None:
        """No picture may be divided any more."""
        if self._refreshing is not None:
            self._refreshing.cancel()
            with suppress(asyncio.CancelledError):
                await self._refreshing
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _refresh(self) -> None:
        while True:
            await asyncio.gather(*(engine.refresh() for engine in self._engines))
            self._wake()
            await asyncio.sleep(REFRESH_S)

    def room(self, artifact: Artifact) -> int:
        """The blocks of this version that may be in flight in all engines. Any thread may call it."""
        return sum(engine.room(artifact) for engine in self._engines)

    def divides(self, artifact: Artifact, plan: TilePlan) -> bool:
        """Whether a picture with this plan is divided: it has enough tiles, and an engine serves the version."""
        return plan.count >= self._least_tiles and self.room(artifact) > 0

    async def predict(self, ticket: Ticket[Job], artifact: Artifact, image: Tensor, roi: Roi | None) -> Done:
        """The outcome of a picture [C,H,W], or of a region of it, whose tiles the ticket admitted.

        Raises the errors of DeviceWorker's futures. If the awaiting task is cancelled, the blocks are given up.
        """
        gone = Event()

        def check() -> None:
            if gone.is_set():
                raise CancelledError

        try:
            done = await self._loop.run_in_executor(self._threads, self._predicted, ticket, artifact, image, roi, check)
        except torch.AcceleratorError as error:
            self._worker.ended_elsewhere("failed")
            raise DeviceFailed(f"the device failed and is tested; send the picture again: {error}") from error
        except BaseException as error:
            dropped = isinstance(error, asyncio.CancelledError | EngineStopped)
            self._worker.ended_elsewhere("dropped" if dropped else "failed")
            raise
        finally:
            gone.set()
        self._worker.ended_elsewhere("done")
        return done

    def _predicted(
        self, ticket: Ticket[Job], artifact: Artifact, image: Tensor, roi: Roi | None, check: Callable[[], None]
    ) -> Done:
        shown, seconds = roi or Roi.whole((image.shape[1], image.shape[2])), list[float]()
        found = torch.empty(shown.height, shown.width)
        with self._runner(artifact, check, background=False, spent=seconds.append) as runner:
            scan = Scan(artifact.model, TensorRows(image), roi, runner.division)
            steps = scan.run(partial(self._counted, ticket, runner.run))
            while True:
                try:
                    band = next(steps)
                except StopIteration as end:
                    return Finished(Outcome(end.value, found), sum(seconds))
                found[band.top : band.top + len(band.values)] = band.values

    def _counted(self, ticket: Ticket[Job], run: Run, band: Band) -> Callable[[], BandOutcome]:
        """Begins to run a band, and counts its tiles when it has run."""
        begun = run(band)

        def outcome() -> BandOutcome:
            found = begun()
            self._worker.ran_elsewhere(ticket, band.plan.count)
            return found

        return outcome

    @contextmanager
    def background(self, artifact: Artifact, check: Callable[[], None]) -> Iterator[Runner]:
        """Yields what computes the bands of a picture of a job, from any thread but the event loop's.

        `check` is called from time to time while there is something to wait for; it raises if the picture is no longer
        wanted. Leaving the `with` block gives up all blocks and the band that have not run to their end. The runner
        raises the errors of DeviceWorker's futures, and those of `check`.
        """
        with self._runner(artifact, check, background=True, spent=lambda _: None) as runner:
            yield runner

    @contextmanager
    def _runner(
        self, artifact: Artifact, check: Callable[[], None], *, background: bool, spent: Callable[[float], None]
    ) -> Iterator[Runner]:
        """`spent` gets the device time of all work on the picture, in seconds."""
        joining = worker_bands(self._worker, artifact.models, check, background=background, spent=spent)
        with joining as run:
            if not self.room(artifact):
                yield Runner(run)
                return
            blocks = _Blocks(self, self._loop, artifact, check, background, spent)
            try:
                yield Runner(run, blocks)
            finally:
                blocks.give_up()

    async def measure(self, artifact: Artifact, pixels: BlockPixels, *, background: bool) -> Finished[MeasuredBlock]:
        """A block, measured by an engine that has room. If the awaiting task is cancelled, the work is dropped."""
        tried: list[Engine] = []
        while len(tried) < ATTEMPTS:
            engine = await self._taken(artifact, tried, background=background)
            if engine is None:
                break
            try:
                return await engine.measure(artifact, pixels, background=background)
            except ELSEWHERE as error:
                _log.warning("an engine failed with a block of a picture, which another one measures: %s", error)
                tried.append(engine)
            finally:
                self._flight[engine, background] -= 1
                self._wake()
            if all(each in tried for each in self._engines):
                await asyncio.sleep(AGAIN_S * 2 ** (len(tried) - 1))
        return await self._own.measure(artifact, pixels, background=background)

    async def _taken(self, artifact: Artifact, tried: Sequence[Engine], *, background: bool) -> Engine | None:
        """Waits until an engine has room, and takes it: one that was not tried, or else any. None: no engine works."""
        while True:
            serving = [engine for engine in self._engines if engine.room(artifact)]
            fresh = [engine for engine in serving if engine not in tried]
            if not serving:
                return None
            shares = {engine: self._flight[engine, background] / engine.room(artifact) for engine in fresh or serving}
            engine = min(shares, key=lambda each: shares[each])
            if shares[engine] < 1:
                self._flight[engine, background] += 1
                return engine
            await self._freed.wait()

    def _wake(self) -> None:
        """Lets all blocks that wait try again, in their order."""
        self._freed.set()
        self._freed = asyncio.Event()


class _Blocks:
    """The division of one picture. Lives in the thread that predicts it; see Division."""

    def __init__(
        self,
        fan_out: FanOut,
        loop: asyncio.AbstractEventLoop,
        artifact: Artifact,
        check: Callable[[], None],
        background: bool,
        spent: Callable[[float], None],
    ) -> None:
        self._fan_out, self._loop, self._artifact, self._check = fan_out, loop, artifact, check
        self._background, self._spent = background, spent
        self._running: set[Future[Finished[MeasuredBlock]]] = set()

    @property
    def room(self) -> int:
        """See Division."""
        return self._fan_out.room(self._artifact)

    def begin(self, block: BlockPixels) -> Callable[[], MeasuredBlock]:
        """See Division."""
        self._check()
        measuring = self._fan_out.measure(self._artifact, block, background=self._background)
        done = asyncio.run_coroutine_threadsafe(measuring, self._loop)
        self._running.add(done)

        def outcome() -> MeasuredBlock:
            while wait([done], CHECK_S).not_done:
                self._check()
            self._running.remove(done)
            finished = done.result()
            self._spent(finished.device_s)
            return finished.outcome

        return outcome

    def give_up(self) -> None:
        """Drops the blocks whose end nobody has waited for."""
        for each in self._running:
            each.cancel()
