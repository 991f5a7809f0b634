"""A way to teach a kind of detectors."""

from collections.abc import Sequence
from types import TracebackType
from typing import Protocol, Self

from app.teaching.learning.lessons import Lesson
from app.teaching.learning.state import LearnedState


class TeachingMethod(Protocol):
    """A way to teach a kind of detectors. Use it in a `with` block, in which the outcomes are taken, too."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def learn(self, lessons: Sequence[Lesson]) -> LearnedState:
        """Learns the lessons, of which those that are learned come first. Raises NotTeachable or NotFinite."""
