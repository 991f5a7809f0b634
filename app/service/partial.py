"""Predicts a picture block by block, the most suspicious blocks first, until its time is over."""

import asyncio
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Protocol, TypeVar

from torch import Tensor

from app.admission import Ticket
from app.pipeline import Block, BlockGrid, Coverage, Outcome, Roi, TiledModel, edge_tiles
from app.pipeline.joining import BlockPixels, MeasuredBlock
from app.pipeline.thumbnail import reduced
from app.scheduling import BlockWork, CoarsePicture, DeviceWorker, Done, Job, JoinWork
from app.scheduling.work import Finished, Work
from app.service.finished import finished
from app.tiling import Size, TilePlan

REDUCTION = 4
"""The coarse pass looks at the picture with its edges divided by this number: at about one tile in 16."""
AHEAD_BATCHES = 2
"""Blocks are in flight until their tiles fill this many batches of each lane, so that lanes always have work."""
LATE_S = 5.0
"""An answer may be this late before it is given up: the map is made and drawn when no more block can be measured."""
MOST_TIMES = 16
FIRST_S, FIRST_S_PER_PIXEL, FIRST_S_PER_BYTE = 0.1, 6e-8, 1e-8
"""What is expected of the first answer: the time of an answer, of a pixel of the map, and of a byte that is drawn."""

R = TypeVar("R")
A = TypeVar("A")


class InThread(Protocol):
    """Runs a function in a thread, so that the event loop does other work meanwhile."""

    def __call__(self, work: Callable[[], A], /) -> Awaitable[A]: ...


class OutOfTime(TimeoutError):
    """The time was over before any part of the picture was looked at."""


@dataclass(frozen=True, slots=True)
class PartialPlan:
    """What a partial prediction computes.

    grid: the blocks of the picture or of its region of interest
    reduced: the (height, width) of the picture or region for the coarse pass
    coarse: the tiles of the coarse pass; None: there is one block, which needs no order
    """

    grid: BlockGrid
    reduced: Size
    coarse: TilePlan | None

    @classmethod
    def of(cls, model: TiledModel, plan: TilePlan, roi: Roi | None, tiles_in_time: float | None) -> "PartialPlan":
        """The partial prediction of a picture with this plan, or of a region of it.

        tiles_in_time: about how many tiles can be computed in time; None: unknown
        """
        seen = roi or Roi.whole(plan.image_size)
        size = max(1, seen.height // REDUCTION), max(1, seen.width // REDUCTION)
        edge = edge_tiles(tiles_in_time)
        grid = BlockGrid(model, plan, roi, (edge, edge))
        return cls(grid, size, model.plan(*size) if len(grid.blocks) > 1 else None)

    @property
    def tiles(self) -> int:
        """The number of tiles, if all blocks are measured."""
        return self.grid.tiles + (0 if self.coarse is None else self.coarse.count)


class PartialPrediction:
    """The work on one picture [C,H,W], of which the ticket admitted the tiles."""

    def __init__(
        self,
        worker: DeviceWorker,
        in_thread: InThread,
        ticket: Ticket[Job],
        models: Sequence[TiledModel],
        image: Tensor,
        roi: Roi | None,
        plan: PartialPlan,
    ) -> None:
        self._worker, self._in_thread, self._ticket = worker, in_thread, ticket
        self._models, self._image, self._roi, self._plan = models, image, roi, plan
        self._device_s = 0.0

    async def measure(self, until_s: float) -> tuple[list[MeasuredBlock], Coverage]:
        """Measures blocks until all are measured, or until the time `until_s` of the event loop.

        Blocks that are not measured by then are given up. Raises OutOfTime if no pixel was looked at, and the errors of
        the futures of `DeviceWorker`.
        """
        try:
            async with asyncio.timeout_at(until_s):
                order = await self._by_suspicion()
        except TimeoutError as error:
            raise OutOfTime from error
        found = await self._measured(order, until_s)
        coverage = await self._in_thread(lambda: self._plan.grid.coverage({each.block for each in found}))
        if not coverage.share:
            raise OutOfTime
        return found, coverage

    async def join(self, found: Sequence[MeasuredBlock], coverage: Coverage) -> Done:
        """The outcome of what `measure` returned, with the device time of all work on the picture."""
        with self._ticket.part(0) as ticket:
            work = JoinWork(ticket, self._models, self._plan.grid.plan, self._roi, found, coverage)
            outcome: Outcome = await self._outcome(work)
        return Finished(outcome, self._device_s)

    async def _by_suspicion(self) -> list[Block]:
        """All blocks, the most suspicious first."""
        blocks, coarse = self._plan.grid.blocks, self._plan.coarse
        if coarse is None:
            return list(blocks)
        small = await self._in_thread(self._reduced)
        with self._ticket.part(coarse.count) as ticket:
            outcome = await self._outcome(CoarsePicture(ticket, self._models, small, plan=coarse))
        seen = self._roi or Roi.whole(self._plan.grid.plan.image_size)
        return await self._in_thread(
            lambda: sorted(blocks, key=lambda block: -suspicion(outcome.anomaly_map, block.shown, seen))
        )

    def _reduced(self) -> Tensor:
        """The picture or its region of interest, reduced, in its own type."""
        image, roi = self._image, self._roi
        if roi is not None:
            image = image[:, roi.top : roi.top + roi.height, roi.left : roi.left + roi.width]
        return reduced(image, self._plan.reduced).round_().to(image.dtype)

    async def _measured(self, order: Sequence[Block], until_s: float) -> list[MeasuredBlock]:
        clock, waiting = asyncio.get_running_loop().time, deque(order)
        running: set[asyncio.Task[MeasuredBlock]] = set()
        found: list[MeasuredBlock] = []
        try:
            while waiting or running:
                while waiting and len(running) < self._at_once:
                    running.add(asyncio.ensure_future(self._block(waiting.popleft())))
                left_s = max(until_s - clock(), 0.0)
                done, running = await asyncio.wait(running, timeout=left_s, return_when=asyncio.FIRST_COMPLETED)
                if not done:
                    break
                found += [task.result() for task in done]
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)
        return found

    async def _block(self, block: Block) -> MeasuredBlock:
        with self._ticket.part(block.plan.count) as ticket:
            return await self._outcome(BlockWork(ticket, self._models, BlockPixels.of(self._image, block)))

    @property
    def _at_once(self) -> int:
        """The number of blocks in flight."""
        lanes, grid = sum(self._worker.lanes.values()), self._plan.grid
        batches = AHEAD_BATCHES * lanes * self._models[0].batch_tiles
        return max(lanes + 1, ceil(batches * len(grid.blocks) / grid.tiles))

    async def _outcome(self, work: Work[R]) -> R:
        done = await finished(self._worker.run(work))
        self._device_s += done.device_s
        return done.outcome


def suspicion(found: Tensor, shown: Roi, seen: Roi) -> float:
    """The suspicion of a rectangle: the mean of the highest 1 % of the values that the coarse map has in it.

    It orders better than the highest value, and than statistics of pixels (`benchmarks/partial.py`).

    found: the map [h,w] of the reduced picture
    shown: the rectangle of the picture
    seen: the rectangle of the picture that the map shows
    """
    down, across = (
        slice(first * cells // length, max(ceil(end * cells / length), 1))
        for first, end, cells, length in (
            (shown.top - seen.top, shown.rows.stop - seen.top, found.shape[0], seen.height),
            (shown.left - seen.left, shown.columns.stop - seen.left, found.shape[1], seen.width),
        )
    )
    values = found[down, across].flatten()
    return float(values.topk(max(1, len(values) // 100)).values.mean())


class FinishTimes:
    """How long answers take after the last block: the map, the regions, and what is drawn, as measured lately."""

    def __init__(self) -> None:
        self._times: defaultdict[int, deque[tuple[int, float]]] = defaultdict(lambda: deque(maxlen=MOST_TIMES))

    def expected_s(self, pixels: int, drawn_bytes: int) -> float:
        """The expected seconds of an answer with a map of so many pixels.

        The longest of the latest answers that drew as much of each pixel; longer in proportion for a larger map.

        drawn_bytes: see Rendering
        """
        times = self._times.get(drawn_bytes)
        if not times:
            return FIRST_S + pixels * (FIRST_S_PER_PIXEL + drawn_bytes * FIRST_S_PER_BYTE)
        return max(seconds * max(1.0, pixels / before) for before, seconds in times)

    def add(self, pixels: int, drawn_bytes: int, seconds: float) -> None:
        """Records the time of an answer."""
        self._times[drawn_bytes].append((pixels, seconds))
