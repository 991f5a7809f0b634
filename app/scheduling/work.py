"""The work on a picture, or on a band of one, as lanes do it."""

from abc import ABC, abstractmethod
from collections.abc import Generator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Generic, TypeVar
from weakref import ref

from app.admission import Ticket
from app.detectors import Features
from app.pipeline import Prepared, TiledModel
from app.pipeline.assembly import Assembly
from app.scheduling.job import Job
from app.tiling import TilePlan

UNTILED_PIXELS = 256 * 256
"""Untiled pictures are batched like tiles with this many pixels."""

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Done(Generic[R]):
    """The outcome of the work, and its share of the device time in seconds."""

    outcome: R
    device_s: float


class Work(ABC, Generic[R]):
    """The computation for a picture or a band, in the order in which its `job` is scheduled; `done` has the outcome.

    `models` holds the model on each device. Only the thread of the lane that took the work calls `step` and `take`.
    """

    def __init__(
        self, ticket: Ticket[Job], models: Sequence[TiledModel], plan: TilePlan, *, background: bool = False
    ) -> None:
        self.ticket = ticket
        self.done: Future[Done[R]] = Future()
        self.done.set_running_or_notify_cancel()  # prevents cancelling: leaving the ticket gives up the work
        self.device_s = 0.0
        self.prepared: Prepared
        self._models = models
        self._assembly: Assembly | None = None
        self._steps: Generator[None, None, R | None] | None = None
        self._outcome: R | None = None
        limit = min(batch_limit(model, plan) for model in models)
        limits = [each.execution.lanes for each in models if each.execution.lanes is not None]
        lanes = sum(limits) if len(limits) == len(models) else None
        # A weak reference: the scheduler keeps its measurements of a model, but not a model that was withdrawn.
        self.job = Job(ref(models[0]), plan.input_size, plan.count, limit, lanes, background)

    def model(self, device: int) -> TiledModel:
        """The model on the device with this number."""
        return self._models[device]

    def step(self, device: int) -> bool:
        """Does the next step, and returns whether it was the last one before the next batch or the end."""
        if self._steps is None:
            self.prepared, self._assembly = self._begin(self.model(device))
            return True
        try:
            next(self._steps)
        except StopIteration as end:
            self._outcome = end.value
            return True
        return False

    def take(self, features: Features, last: bool) -> None:
        """Takes the features of the next tiles, which the next steps stitch and measure."""
        assert self._assembly is not None
        self._steps = self._assembling(self._assembly, features, last)

    def result(self) -> Done[R]:
        """The outcome, after the last step."""
        assert self._outcome is not None
        return Done(self._outcome, self.device_s)

    @abstractmethod
    def _begin(self, model: TiledModel) -> tuple[Prepared, Assembly]:
        """Prepares the pixels and what assembles them."""

    @abstractmethod
    def _end(self, assembly: Assembly) -> Generator[None, None, R]:
        """Makes the outcome, after all tiles were added."""

    def _assembling(self, assembly: Assembly, features: Features, last: bool) -> Generator[None, None, R | None]:
        yield from assembly.add(features)
        if not last:
            return None
        return (yield from self._end(assembly))


AnyWork = Work[Any]


def batch_limit(model: TiledModel, plan: TilePlan) -> int:
    """The largest number of tiles of this plan in one batch."""
    if plan.tiled:
        return model.batch_tiles
    height, width = plan.input_size
    return max(1, model.batch_tiles * UNTILED_PIXELS // (height * width))
