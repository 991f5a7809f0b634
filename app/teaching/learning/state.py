"""What lessons have made of a model, before it has thresholds."""

from collections.abc import Iterator
from dataclasses import dataclass

from app.artifacts import SecondStageRecord
from app.detectors import PatchSources
from app.pipeline import Outcome, TiledModel
from app.teaching.learning.evidence import LearnedPicture
from app.teaching.learning.lessons import Lesson


@dataclass(frozen=True, slots=True)
class LearnedState:
    """A model that has learned.

    model: with the detector that has learned
    pictures: of which patches were learned, in their order
    patches: their number
    outcomes: yields lessons that set thresholds, each with its outcome by a model that has not learned it
    sources: those of the rows that were added to a memory bank; None: there is none
    notes: sentences about how it was learned
    second_stage: that of the detector; None: it has none
    """

    model: TiledModel
    pictures: tuple[LearnedPicture, ...]
    patches: int
    outcomes: Iterator[tuple[Lesson, Outcome]]
    sources: PatchSources | None = None
    notes: tuple[str, ...] = ()
    second_stage: SecondStageRecord | None = None
