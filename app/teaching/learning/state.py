"""What lessons have made of a model, before it has thresholds."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self

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


class Teaching(Protocol):
    """A way to teach a kind of detectors. Use it in a `with` block, in which the outcomes are taken, too."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def learn(self, lessons: Sequence[Lesson]) -> LearnedState:
        """Learns the lessons, of which those that are learned come first. Raises NotTeachable or NotFinite."""
