"""One picture from its header to its answer: what is asked of it, what it costs, and how it is rendered."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from torch import Tensor

from app.admission import Cost
from app.artifacts import Artifact
from app.pipeline import Coverage, Evidence, Question, RegionEvidence, Roi, interpret, with_zones
from app.scheduling import Done
from app.service.cameras import Cameras
from app.service.partial import PartialPlan
from app.service.predicted import Predicted
from app.service.source import Source, digest_of
from app.service.timings import Timings
from app.service.verdict import Verdict
from app.tiling import Size, TilePlan

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Rendering(Generic[T]):
    """How a prediction is rendered, and the memory that this takes.

    render: renders it
    drawn_bytes: the bytes for each pixel of the map while it is rendered
    kept_bytes: the bytes for each pixel that the rendered form keeps until all pictures of a request are answered
    """

    render: Callable[[Predicted], T]
    drawn_bytes: int = 0
    kept_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Answer(Generic[T]):
    """A prediction, its rendered form, the timings, and evidence for the first regions if that was asked for."""

    predicted: Predicted
    rendered: T
    timings: Timings
    evidence: tuple[RegionEvidence, ...] = ()


@dataclass(frozen=True, slots=True)
class PictureTask(Generic[T]):
    """A picture whose header was read, what is asked of it, and what it costs.

    size: its (height, width)
    blocks: how it is computed in parts; None: it is computed whole, however long that takes
    evidence: finds evidence for the regions; None: that was not asked for
    key: the same for pictures that take the same time
    started_s: the time at which the picture was received whole, on the clock `monotonic`
    header_s: the seconds that its header took
    """

    artifact: Artifact
    source: Source
    rendering: Rendering[T]
    question: Question
    size: Size
    plan: TilePlan
    cost: Cost
    blocks: PartialPlan | None
    evidence: Evidence | None
    key: Hashable
    started_s: float
    header_s: float

    @property
    def shown_pixels(self) -> int:
        """The number of pixels of the map."""
        region = self.question.roi or Roi.whole(self.size)
        return region.height * region.width


def render(
    task: PictureTask[T], image: Tensor, done: Done, cameras: Cameras | None, *, digested: bool
) -> tuple[Predicted, T]:
    """Judges a picture [C,H,W], and renders the prediction. `cameras` gets it unless only a region was asked for.

    digested: whether the SHA-256 of the picture is computed
    """
    outcome = done.outcome
    if task.question.partial and outcome.coverage is None:
        outcome = replace(outcome, coverage=Coverage.whole(task.plan.count))
    prediction = interpret(outcome, task.artifact.calibration, task.question)
    prediction = with_zones(prediction, task.artifact.model.zones, task.size)
    if cameras is not None and task.question.roi is None:
        cameras.add(task.artifact, image, prediction)
    digest = digest_of(task.source) if digested else None
    predicted = Predicted(task.artifact, image, task.plan, prediction, task.question, digest)
    return predicted, task.rendering.render(predicted)


def verdict_of(task: PictureTask[T], predicted: Predicted, timings: Timings) -> Verdict:
    """The verdict on a predicted picture."""
    artifact, prediction = task.artifact, predicted.prediction
    coverage = prediction.coverage
    return Verdict(
        artifact.name,
        artifact.version,
        artifact.digest,
        predicted.picture_digest,
        task.size,
        task.plan.count if coverage is None else coverage.tiles_done,
        prediction.score,
        prediction.criteria.threshold,
        prediction.label,
        timings,
        task.started_s,
        1.0 if coverage is None else coverage.share,
    )
