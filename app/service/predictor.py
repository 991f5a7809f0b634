"""Predicts pictures: decodes them, has the device worker run them, and renders the predictions."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from time import monotonic
from typing import Generic, Protocol, TypeVar

import torch
from torch import Tensor

from app.artifacts import Artifact
from app.decoders.decoders import Decoders
from app.decoders.pool import Replaced
from app.errors import DeadlineExceeded, DeviceFailed
from app.pipeline import USUAL, Prediction, Question, Roi, interpret, use_processors
from app.scheduling import DeviceWorker, Done
from app.service.decoded import DecodedPixels
from app.service.notes import Note, notes
from app.service.reading import PictureReader
from app.service.source import Source
from app.service.together import FAULTS, all_answers, named
from app.tiling import Size, TilePlan

T = TypeVar("T")
A = TypeVar("A")


@dataclass(frozen=True, slots=True)
class Predicted:
    """A decoded picture [C,H,W], its tiles, and the prediction for the picture or for a region of it."""

    artifact: Artifact
    image: Tensor
    plan: TilePlan
    prediction: Prediction
    question: Question = USUAL

    @property
    def region(self) -> Roi:
        """The region that was computed: the region of interest, or the whole picture."""
        height, width = self.image.shape[-2:]
        return self.question.roi or Roi.whole((height, width))

    @property
    def notes(self) -> tuple[Note, ...]:
        """What a user must know to read the prediction."""
        height, width = self.image.shape[-2:]
        return notes(self.artifact, (height, width), self.prediction)


@dataclass(frozen=True, slots=True)
class Timings:
    """The seconds of each stage.

    decode_s: reading the header and decoding
    queue_s: the time in which the picture waited
    device_s: the picture's share of the device time
    render_s: calibrating and rendering
    total_s: from the call to the answer
    """

    decode_s: float
    queue_s: float
    device_s: float
    render_s: float
    total_s: float


@dataclass(frozen=True, slots=True)
class Answer(Generic[T]):
    """A prediction, its rendered form, and the timings."""

    predicted: Predicted
    rendered: T  # the result of `render`
    timings: Timings


class StageObserver(Protocol):
    """Receives the timings of every answer."""

    def answered(self, timings: Timings) -> None:
        """A picture was answered."""

    def deadline_missed(self) -> None:
        """A picture was given up because its time limit had passed."""

    def decoder_replaced(self, reason: Replaced) -> None:
        """A process that reads pictures ended, and is replaced when it is needed."""


class Predictor:
    """Decodes pictures in `processes` processes, and renders them in as many threads; the device worker computes.

    A picture is admitted by its header, before any pixel is decoded. While one picture is on the device, the next one
    is decoded and the previous one rendered. `pinned` puts pixels into page-locked memory, from which GPUs copy
    asynchronously. `lenient` accepts truncated JPEGs, see `decode`. Lives on one event loop, from `start` to `close`.
    """

    def __init__(
        self,
        worker: DeviceWorker,
        *,
        max_pixels: int,
        processes: int,
        lenient: bool = False,
        pinned: bool = False,
        timeout_s: float | None = None,
        clock: Callable[[], float] = monotonic,
        observer: StageObserver | None = None,
    ) -> None:
        self._worker = worker
        self._timeout_s, self._clock, self._observer = timeout_s, clock, observer
        self._decoded = DecodedPixels()
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

    async def predict(
        self,
        artifact: Artifact,
        source: Source,
        render: Callable[[Predicted], T],
        timeout_s: float | None = None,
        question: Question = USUAL,
    ) -> Answer[T]:
        """The prediction for a picture, and the result of `render`, which is called in one of the threads.

        With a region of interest, only its tiles are queued and computed. An upload is read for its header, and again
        when it is decoded; it is not kept in memory in between. Raises InvalidImage, InvalidRegion, LimitExceeded,
        Overloaded, EngineStopped, DeviceFailed, NotFinite or InsufficientMemory, and DeadlineExceeded after `timeout_s`
        (None: the predictor's own limit). After that limit, or if the awaiting task is cancelled, the work is dropped:
        at once, or after the batch or step that is running. A process that decodes the picture is killed.
        """
        return await self._within(timeout_s, self._answer(artifact, source, render, question))

    async def predict_all(
        self,
        artifact: Artifact,
        sources: Sequence[Source],
        fit: Callable[[Sequence[Size]], None],
        render: Callable[[Predicted], T],
        timeout_s: float | None = None,
        question: Question = USUAL,
    ) -> list[T]:
        """The result of `render` for each picture; see `predict`.

        Reads all headers first. `fit` gets the sizes of all pictures before any picture is decoded, and may raise. The
        first error ends the request.
        """
        return await self._within(timeout_s, self._answers(artifact, sources, fit, render, question))

    async def _within(self, timeout_s: float | None, answer: Awaitable[A]) -> A:
        limit_s = self._timeout_s if timeout_s is None else timeout_s
        try:
            async with asyncio.timeout(limit_s) as timeout:
                return await answer
        except TimeoutError as error:
            if not timeout.expired():
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
        render: Callable[[Predicted], T],
        question: Question,
    ) -> list[T]:
        sizes = []
        for number, source in enumerate(sources):
            try:
                size, _ = await self._reader.size(source)
                if question.roi is not None:
                    question.roi.require_within(*size)
                sizes.append(size)
            except FAULTS as error:
                raise named(error, number, len(sources)) from error
        fit(sizes)

        async def rendered(source: Source) -> T:  # keeps no picture and no map, because there may be many pictures
            return (await self._answer(artifact, source, render, question)).rendered

        return await all_answers([partial(rendered, source) for source in sources])

    async def _answer(
        self,
        artifact: Artifact,
        source: Source,
        render: Callable[[Predicted], T],
        question: Question,
    ) -> Answer[T]:
        started = self._clock()
        (height, width), header_s = await self._reader.size(source)
        plan = artifact.model.plan(height, width, question.roi)
        with self._worker.admit(plan.count) as ticket:
            async with self._decoded.hold(height * width):
                image, decode_s = await self._reader.pixels(source, (height, width))
                submitted = self._worker.submit(ticket, artifact.models, image, question.roi, plan)
                done = await _done(submitted)
                (predicted, rendered), render_s = await self._timed(
                    partial(_render, artifact, image, plan, done, question, render)
                )
        decode_s, total_s = header_s + decode_s, self._clock() - started
        queue_s = max(total_s - decode_s - done.device_s - render_s, 0.0)
        timings = Timings(decode_s, queue_s, done.device_s, render_s, total_s)
        if self._observer is not None:
            self._observer.answered(timings)
        return Answer(predicted, rendered, timings)

    @property
    def timeout_s(self) -> float | None:
        """The time limit of requests that do not set their own; None: no limit."""
        return self._timeout_s

    def stop_decoding(self) -> None:
        """Kills the processes that read pictures. Pictures that they read, and all later ones, raise EngineStopped."""
        self._decoders.stop()

    async def close(self) -> None:
        """Ends the processes and threads. No prediction may be running."""
        await self._decoders.close()
        self._threads.shutdown(cancel_futures=True)

    def _decoder_replaced(self, reason: Replaced) -> None:
        if self._observer is not None:
            self._observer.decoder_replaced(reason)

    async def _timed(self, work: Callable[[], T]) -> tuple[T, float]:
        """Runs `work` in a thread; returns its result and its seconds."""

        def timed() -> tuple[T, float]:
            started = self._clock()
            return work(), self._clock() - started

        return await asyncio.get_running_loop().run_in_executor(self._threads, timed)


async def _done(submitted: Future[Done]) -> Done:
    try:
        return await asyncio.wrap_future(submitted)
    except torch.AcceleratorError as error:
        raise DeviceFailed(f"the device failed and is tested; send the picture again: {error}") from error


def _render(
    artifact: Artifact,
    image: Tensor,
    plan: TilePlan,
    done: Done,
    question: Question,
    render: Callable[[Predicted], T],
) -> tuple[Predicted, T]:
    prediction = interpret(done.outcome, artifact.calibration, question)
    predicted = Predicted(artifact, image, plan, prediction, question)
    return predicted, render(predicted)
