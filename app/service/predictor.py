"""Predicts pictures: decodes them, has the device worker run them, and renders the predictions."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, nullcontext
from copy import copy
from dataclasses import replace
from functools import partial
from time import monotonic
from typing import Protocol, TypeVar

from torch import Tensor

from app.admission import Budgets, RequestShare, Ticket, TileRate, cost_of
from app.artifacts import Artifact
from app.decoders.decoders import Decoders
from app.decoders.pool import Replaced
from app.errors import DeadlineExceeded
from app.pipeline import USUAL, DefectRegion, Evidence, Question, RegionEvidence, require_partial, use_processors
from app.scheduling import DeviceWorker, Done, Job
from app.service.batch import IN_FLIGHT
from app.service.cameras import Cameras
from app.service.evidence import find_evidence
from app.service.fan_out import FanOut, divided_bytes
from app.service.finished import finished
from app.service.partial import LATE_S, FinishTimes, OutOfTime, PartialPlan, PartialPrediction
from app.service.picture_task import Answer, PictureTask, Rendering, render, verdict_of
from app.service.predicted import Predicted
from app.service.reading import PictureReader
from app.service.shadow import Shadows
from app.service.source import Source, size_in_bytes
from app.service.timings import Timings
from app.service.together import FAULTS, all_answers, named
from app.service.verdict import Verdict
from app.tiling import Size

T = TypeVar("T")
A = TypeVar("A")


class StageObserver(Protocol):
    """Receives the verdict of every picture. Calls must be fast and must not raise."""

    def answered(self, verdict: Verdict, regions: Sequence[DefectRegion]) -> None:
        """A picture was answered. Called in the context of the task that awaits the answer."""

    def deadline_missed(self) -> None:
        """A picture was given up because its time limit had passed."""

    def decoder_replaced(self, reason: Replaced) -> None:
        """A process that reads pictures ended, and is replaced when it is needed."""


class PictureSink(Protocol):
    """Receives every predicted picture. Calls must be fast and must not raise."""

    def offer(self, source: Source, predicted: Predicted) -> None:
        """A picture was predicted. Called in the context of the task that awaits the answer."""


class Predictor:
    """Decodes pictures in `processes` processes, and renders them in as many threads; the device worker computes.

    A picture is admitted by its cost, which follows from its header, before any pixel is decoded. While one picture is
    on the device, the next one is decoded and the previous one rendered. `pinned` puts pixels into page-locked memory,
    from which GPUs copy asynchronously. `cameras` gets every whole picture. `fan_out` divides large pictures among
    engines. `shadows` and `keeper` get every picture when its answer is made. `lenient` accepts truncated JPEGs, see
    `decode`. `digests` computes the SHA-256 of each picture for its verdict, in the thread that renders. Lives on one
    event loop, from `start` to `close`.
    """

    def __init__(
        self,
        worker: DeviceWorker,
        budgets: Budgets[Job],
        *,
        processes: int,
        lenient: bool = False,
        pinned: bool = False,
        timeout_s: float | None = None,
        digests: bool = False,
        clock: Callable[[], float] = monotonic,
        observer: StageObserver | None = None,
        cameras: Cameras | None = None,
        fan_out: FanOut | None = None,
        shadows: Shadows | None = None,
        keeper: PictureSink | None = None,
    ) -> None:
        self._cameras, self._fan_out, self._shadows, self._keeper = cameras, fan_out, shadows, keeper
        self._worker, self._budgets, self._digests = worker, budgets, digests
        self._timeout_s, self._clock, self._observer = timeout_s, clock, observer
        self._rate: TileRate | None = None
        self._finish_times = FinishTimes()
        max_pixels = budgets.limits.max_pixels
        self._decoders = Decoders(processes, max_pixels, lenient, self._decoder_replaced)
        self._threads = ThreadPoolExecutor(
            processes,
            thread_name_prefix="tessera-picture",
            initializer=partial(use_processors, 1),  # the lanes need the other processors
        )
        self._reader = PictureReader(self._decoders, self._threads, max_pixels=max_pixels, pinned=pinned)

    def start(self) -> None:
        """Starts the process from which decoders are forked. The calling thread must live until `close`."""
        self._decoders.start()

    def limited(self, rate: TileRate) -> "Predictor":
        """This predictor for requests that count against `rate`; it shares everything else. They raise RateLimited."""
        limited = copy(self)
        limited._rate = rate
        return limited

    async def predict(
        self,
        artifact: Artifact,
        source: Source,
        rendering: Rendering[T],
        timeout_s: float | None = None,
        question: Question = USUAL,
        share: RequestShare | None = None,
    ) -> Answer[T]:
        """The prediction for a picture, and its rendered form, which is made in one of the threads.

        With a region of interest, only its tiles are queued and computed. An upload is read for its header, and again
        when it is decoded; it is not kept in memory in between. `share` is that of all pictures of a request. Raises
        InvalidImage, InvalidRegion, LimitExceeded, Overloaded, EngineStopped, DeviceFailed, NotFinite or
        InsufficientMemory, and DeadlineExceeded after `timeout_s` (None: the predictor's own limit). After that limit,
        or if the awaiting task is cancelled, the work is dropped: at once, or after the batch or step that is running.
        A process that decodes the picture is killed.

        With `question.evidence`, evidence for the regions follows; its tiles are admitted with the picture's.
        With `question.partial`, the most suspicious parts of the picture are computed first, and the limit ends the
        work with an answer for what was looked at by then (`Judgement.coverage`). DeadlineExceeded then says that
        nothing was looked at. Raises PartialUnsupported if the model's pictures cannot be divided.
        """
        limit_s = self._timeout_s if timeout_s is None else timeout_s
        if question.partial:
            require_partial(artifact.model)

        async def answer(until: asyncio.Timeout) -> Answer[T]:
            return await self._answer(artifact, source, rendering, until, limit_s, question, share)

        return await self._within(limit_s, answer)

    async def predict_all(
        self,
        artifact: Artifact,
        sources: Sequence[Source],
        fit: Callable[[Sequence[Size]], None],
        rendering: Rendering[T],
        timeout_s: float | None = None,
        question: Question = USUAL,
    ) -> list[T]:
        """The rendered form of each picture; see `predict`.

        Reads all headers first. `fit` gets the sizes of all pictures before any picture is decoded, and may raise. All
        pictures together are admitted as one request. The first error ends the request.
        """
        limit_s = self._timeout_s if timeout_s is None else timeout_s

        async def answers(_: asyncio.Timeout) -> list[T]:
            return await self._answers(artifact, sources, fit, rendering, limit_s, question)

        return await self._within(limit_s, answers)

    async def size(self, source: Source) -> Size:
        """(height, width) of a picture that is not to be predicted; raises the errors of `PictureReader.size`."""
        return (await self._reader.size(source))[0]

    def share(self) -> RequestShare:
        """What several pictures of one request may take together, see `predict`."""
        return self._budgets.share()

    async def _within(self, limit_s: float | None, answer: Callable[[asyncio.Timeout], Awaitable[A]]) -> A:
        try:
            async with asyncio.timeout(limit_s) as timeout:
                return await answer(timeout)
        except TimeoutError as error:
            if not (timeout.expired() or isinstance(error, OutOfTime)):
                raise
            if self._observer is not None:
                self._observer.deadline_missed()
            raise DeadlineExceeded(
                f"the picture was not answered within {limit_s:g} s, and is given up; allow more time "
                "(X-Request-Timeout, request_timeout_s), send a smaller picture, or send it when there is less to do"
            ) from error

    async def _answers(
        self,
        artifact: Artifact,
        sources: Sequence[Source],
        fit: Callable[[Sequence[Size]], None],
        rendering: Rendering[T],
        limit_s: float | None,
        question: Question,
    ) -> list[T]:
        tasks = []
        for number, source in enumerate(sources):
            try:
                tasks.append(await self._task(artifact, source, rendering, question, limit_s))
            except FAULTS as error:
                raise named(error, number, len(sources)) from error
        fit([task.size for task in tasks])
        kept = sum(rendering.kept_bytes * task.shown_pixels for task in tasks)
        largest, at_once = max(task.cost.memory_bytes for task in tasks), min(IN_FLIGHT, len(tasks))
        while at_once > 1 and kept + at_once * largest > self._budgets.memory.share:
            at_once -= 1
        self._budgets.memory.require(kept + largest, "the request with all its answers")

        async def rendered(
            ticket: Ticket[Job], task: PictureTask[T]
        ) -> T:  # keeps no picture and no map: there may be many
            return (await self._run(ticket, task, None)).rendered

        with self._admit(sum(task.cost.tiles for task in tasks), tasks[0], limit_s) as whole:
            async with self._budgets.memory.hold(kept + at_once * largest):
                asks = [partial(rendered, whole.part(task.cost.tiles), task) for task in tasks]
                return await all_answers(asks, at_once)

    async def _answer(
        self,
        artifact: Artifact,
        source: Source,
        rendering: Rendering[T],
        until: asyncio.Timeout,
        limit_s: float | None,
        question: Question,
        share: RequestShare | None,
    ) -> Answer[T]:
        async with AsyncExitStack() as held:
            async with nullcontext() if share is None else share.turn:
                task = await self._task(artifact, source, rendering, question, limit_s)
                if share is not None:
                    tiles = self._budgets.queue.counted(task.cost.tiles)
                    await held.enter_async_context(share.hold(tiles, task.cost.memory_bytes))
                ticket = held.enter_context(self._admit(task.cost.tiles, task, limit_s))
                await held.enter_async_context(self._budgets.memory.hold(task.cost.memory_bytes))
            return await self._run(ticket, task, until)

    async def _task(
        self,
        artifact: Artifact,
        source: Source,
        rendering: Rendering[T],
        question: Question,
        limit_s: float | None,
    ) -> PictureTask[T]:
        """Reads the header; raises LimitExceeded if the picture can never be admitted, or what a header may raise."""
        started = self._clock()
        size, header_s = await self._reader.size(source)
        plan, file_bytes = artifact.model.plan(*size, question.roi), size_in_bytes(source)
        drawn, roi = rendering.drawn_bytes, question.roi
        cost = cost_of(artifact.model, plan, size, roi, file_bytes=file_bytes, drawn_bytes=drawn)
        blocks = None
        if question.partial and limit_s is not None:
            in_time = self._tiles_in(limit_s, cost.tile_s)
            blocks = await self._in_thread(partial(PartialPlan.of, artifact.model, plan, roi, in_time))
            cost = replace(cost, tiles=blocks.tiles)
        elif self._fan_out is not None and self._fan_out.divides(artifact, plan):
            cost = replace(cost, memory_bytes=cost.memory_bytes + divided_bytes(size[0] * size[1]))
        evidence = artifact.evidence_for(size) if question.evidence else None
        if evidence is not None:
            cost = replace(cost, tiles=cost.tiles + evidence.most_tiles)
        self._budgets.require(cost)
        key = artifact.name, *size, roi, file_bytes
        return PictureTask(
            artifact, source, rendering, question, size, plan, cost, blocks, evidence, key, started, header_s
        )

    def _tiles_in(self, limit_s: float, tile_s: float | None) -> float | None:
        """About how many tiles can be computed in this time, by what was measured; None: nothing was."""
        rates = [self._budgets.queue.budget.rate(), None if tile_s is None else 1 / tile_s]
        known = [rate for rate in rates if rate is not None]
        return limit_s * min(known) if known else None

    def _admit(self, tiles: int, task: PictureTask[T], limit_s: float | None) -> Ticket[Job]:
        if self._rate is not None:
            self._rate.require(tiles)
        ticket = self._worker.admit(
            tiles, key=task.key, tile_s=task.cost.tile_s, limit_s=limit_s, partial=task.blocks is not None
        )
        if self._rate is not None:
            self._rate.take(tiles)
        return ticket

    async def _run(self, ticket: Ticket[Job], task: PictureTask[T], until: asyncio.Timeout | None) -> Answer[T]:
        """Decodes, computes and renders an admitted picture."""
        clock = asyncio.get_running_loop().time
        evidence: tuple[RegionEvidence, ...] = ()
        evidence_s = 0.0
        with ticket:
            image, decode_s = await self._reader.pixels(task.source, task.size)
            if task.blocks is None or until is None:
                done, ended_s = await self._whole(ticket, task, image), None
            else:
                done, ended_s = await self._until_limit(ticket, task, task.blocks, image, until)
            (predicted, rendered), render_s = await self._timed(
                partial(render, task, image, done, self._cameras, digested=self._digests)
            )
            if task.evidence is not None:
                evidence, evidence_s = await self._evidence(ticket, task, task.evidence, predicted)
            if ended_s is not None:
                self._finish_times.add(task.shown_pixels, task.rendering.drawn_bytes, clock() - ended_s)
        decode_s, total_s = task.header_s + decode_s, self._clock() - task.started_s
        device_s = done.device_s + evidence_s
        queue_s = max(total_s - decode_s - device_s - render_s, 0.0)
        timings = Timings(decode_s, queue_s, device_s, render_s, total_s)
        if self._observer is not None:
            self._observer.answered(verdict_of(task, predicted, timings), predicted.prediction.regions)
        if self._shadows is not None:
            self._shadows.offer(predicted)
        if self._keeper is not None:
            self._keeper.offer(task.source, predicted)
        return Answer(predicted, rendered, timings, evidence)

    async def _whole(self, ticket: Ticket[Job], task: PictureTask[T], image: Tensor) -> Done:
        artifact, roi = task.artifact, task.question.roi
        if self._fan_out is not None and self._fan_out.divides(artifact, task.plan):
            return await self._fan_out.predict(ticket, artifact, image, roi)
        if task.evidence is not None:  # the work on the regions follows: the ticket keeps its room until then
            with ticket.part(task.plan.count) as part:
                return await finished(self._worker.submit(part, artifact.models, image, roi, task.plan))
        return await finished(self._worker.submit(ticket, artifact.models, image, roi, task.plan))

    async def _evidence(
        self, ticket: Ticket[Job], task: PictureTask[T], evidence: Evidence, predicted: Predicted
    ) -> tuple[tuple[RegionEvidence, ...], float]:
        image, judged, roi = predicted.image, predicted.prediction, task.question.roi
        return await find_evidence(evidence, self._worker, ticket, task.artifact, image, judged, roi)

    async def _until_limit(
        self, ticket: Ticket[Job], task: PictureTask[T], plan: PartialPlan, image: Tensor, until: asyncio.Timeout
    ) -> tuple[Done, float]:
        """What was looked at until the answer has to be made, and the time of the event loop at which this began."""
        clock, limit_s = asyncio.get_running_loop().time, until.when()
        assert limit_s is not None
        work = PartialPrediction(
            self._worker, self._in_thread, ticket, task.artifact.models, image, task.question.roi, plan
        )
        finish_s = self._finish_times.expected_s(task.shown_pixels, task.rendering.drawn_bytes)
        found, coverage = await work.measure(limit_s - finish_s)
        ended_s = clock() if coverage.complete else limit_s - finish_s
        until.reschedule(limit_s + LATE_S)
        return await work.join(found, coverage), ended_s

    @property
    def timeout_s(self) -> float | None:
        """The time limit of requests that do not set their own; None: no limit."""
        return self._timeout_s

    def stop_decoding(self) -> None:
        """Kills the processes that read pictures. Pictures that they read, and all later ones, raise EngineStopped."""
        self._decoders.stop()

    async def close(self) -> None:
        """Ends the processes, and the threads, those that still work later. No prediction may be running."""
        await self._decoders.close()
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _decoder_replaced(self, reason: Replaced) -> None:
        if self._observer is not None:
            self._observer.decoder_replaced(reason)

    async def _timed(self, work: Callable[[], T]) -> tuple[T, float]:
        """Runs `work` in a thread; returns its result and its seconds."""

        def timed() -> tuple[T, float]:
            started = self._clock()
            return work(), self._clock() - started

        return await self._in_thread(timed)

    async def _in_thread(self, work: Callable[[], A]) -> A:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)
