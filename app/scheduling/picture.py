"""The work on one picture."""

from collections.abc import Generator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from weakref import ref

from torch import Tensor

from app.admission import Ticket
from app.detectors import Features
from app.pipeline import Outcome, Prepared, Roi, TiledModel
from app.pipeline.assembly import Assembly
from app.scheduling.job import Job
from app.tiling import TilePlan

UNTILED_PIXELS = 256 * 256
"""Untiled pictures are batched like tiles with this many pixels."""


@dataclass(frozen=True, slots=True)
class Done:
    """A picture's outcome, with the map on the CPU, and the picture's share of the device time in seconds."""

    outcome: Outcome
    device_s: float


class Picture:
    """The computation for a picture, in the order in which its `job` is scheduled, and the future of its outcome.

    `models` holds the picture's model on each device. `roi` restricts the prediction to a region. Only the thread of
    the lane that took the picture calls `step` and `take`.
    """

    def __init__(
        self,
        ticket: Ticket[Job],
        models: Sequence[TiledModel],
        image: Tensor,
        roi: Roi | None = None,
        plan: TilePlan | None = None,
    ) -> None:
        self.ticket = ticket
        self.done: Future[Done] = Future()
        self.done.set_running_or_notify_cancel()  # prevents cancelling: leaving the ticket gives up the work
        self.device_s = 0.0
        self._models, self._image, self._roi = models, image, roi
        self._assembly: Assembly | None = None
        self._steps: Generator[None, None, Outcome | None] | None = None
        self._outcome: Outcome | None = None
        self.prepared: Prepared
        height, width = image.shape[-2:]
        self._plan = plan or models[0].plan(height, width, roi)
        limit = min(batch_limit(model, self._plan) for model in models)
        limits = [each.execution.lanes for each in models if each.execution.lanes is not None]
        lanes = sum(limits) if len(limits) == len(models) else None
        # A weak reference: the scheduler keeps its measurements of a model, but not a model that was withdrawn.
        self.job = Job(ref(models[0]), self._plan.input_size, self._plan.count, limit, lanes)

    def model(self, device: int) -> TiledModel:
        """The picture's model on the device with this number."""
        return self._models[device]

    def step(self, device: int) -> bool:
        """Does the next step, and returns whether it was the last one before the next batch or the end."""
        if self._steps is None:
            model = self.model(device)
            self.prepared = model.prepare(self._image, self._roi, self._plan)
            self._assembly = Assembly(model, self.prepared)
            return True
        try:
            next(self._steps)
        except StopIteration as end:
            self._outcome = end.value
            return True
        return False

    def take(self, features: Features, last: bool) -> None:
        """Takes the features of the picture's next tiles, which the next steps stitch and measure."""
        assert self._assembly is not None
        self._steps = _assembling(self._assembly, features, last)

    def result(self) -> Done:
        """The outcome, after the last step."""
        assert self._outcome is not None
        return Done(self._outcome, self.device_s)


def _assembling(assembly: Assembly, features: Features, last: bool) -> Generator[None, None, Outcome | None]:
    yield from assembly.add(features)
    if not last:
        return None
    return (yield from assembly.finish())


def batch_limit(model: TiledModel, plan: TilePlan) -> int:
    """The largest number of tiles of this plan in one batch."""
    if plan.tiled:
        return model.batch_tiles
    height, width = plan.input_size
    return max(1, model.batch_tiles * UNTILED_PIXELS // (height * width))
