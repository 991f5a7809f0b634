"""Work that lanes run: steps of its own, and batches of tiles with other work."""

from abc import ABC, abstractmethod
from collections.abc import Generator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import ClassVar, Generic, TypeVar
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
class Finished(Generic[R]):
    """The outcome of work, and its share of the device time in seconds."""

    outcome: R
    device_s: float


class Work(ABC, Generic[R]):
    """A computation, in the order in which its `job` is scheduled, and the future of its outcome.

    `models` holds the model on each device. `tiles` is the number of tiles, which are tiles of `plan`; 0: the work has
    steps only. `background`: see Job. Only the thread of the lane that took the work calls `step` and `take`.
    """

    is_picture: ClassVar[bool] = True
    """Whether the end of the work is the end of a picture. False: other work on the same picture follows."""

    def __init__(
        self,
        ticket: Ticket[Job],
        models: Sequence[TiledModel],
        plan: TilePlan,
        tiles: int,
        *,
        background: bool = False,
    ) -> None:
        self.ticket = ticket
        self.done: Future[Finished[R]] = Future()
        self.done.set_running_or_notify_cancel()  # prevents cancelling: leaving the ticket gives up the work
        self.device_s = 0.0
        self.prepared: Prepared
        self._models = models
        self._assembly: Assembly
        self._steps: Generator[None, None, R | None] | None = None
        self._outcome: R | None = None
        limit = min(batch_limit(model, plan) for model in models)
        limits = [each.execution.lanes for each in models if each.execution.lanes is not None]
        lanes = sum(limits) if len(limits) == len(models) else None
        # A weak reference: the scheduler keeps its measurements of a model, but not a model that was withdrawn.
        self.job = Job(ref(models[0]), plan.input_size, tiles, limit, lanes, background)

    def model(self, device: int) -> TiledModel:
        """The model on the device with this number."""
        return self._models[device]

    def step(self, device: int) -> bool:
        """Does the next step, and returns whether it was the last one before the next batch or the end."""
        if self._steps is None:
            self._steps = self._beginning(self.model(device))
        try:
            next(self._steps)
        except StopIteration as end:
            self._outcome = end.value
            return True
        return False

    def take(self, features: Features, last: bool) -> None:
        """Takes the features of the next tiles, which the next steps stitch and measure."""
        self._steps = self._assembling(features, last)

    def result(self) -> Finished[R]:
        """The outcome, after the last step."""
        assert self._outcome is not None
        return Finished(self._outcome, self.device_s)

    @abstractmethod
    def _begin(self, model: TiledModel) -> Assembly:
        """What assembles the features. With tiles, `prepared` is set afterwards."""

    @abstractmethod
    def _finish(self, assembly: Assembly) -> Generator[None, None, R]:
        """The steps after the features of all tiles were added."""

    def _beginning(self, model: TiledModel) -> Generator[None, None, R | None]:
        self._assembly = self._begin(model)
        if self.job.tiles:
            return None
        return (yield from self._finish(self._assembly))

    def _assembling(self, features: Features, last: bool) -> Generator[None, None, R | None]:
        yield from self._assembly.add(features)
        if not last:
            return None
        return (yield from self._finish(self._assembly))


def batch_limit(model: TiledModel, plan: TilePlan) -> int:
    """The largest number of tiles of this plan in one batch."""
    if plan.tiled:
        return model.batch_tiles
    height, width = plan.input_size
    return max(1, model.batch_tiles * UNTILED_PIXELS // (height * width))
