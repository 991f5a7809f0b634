"""What a trial has measured, and how results compare."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

from app.artifacts import FalseAlarmRecord, GradeRecord
from app.model_search.wish import Wish
from app.scoring import Tried, fit_detection


@dataclass(frozen=True, slots=True)
class Result:
    """A trial of a configuration.

    name: that of the configuration
    round: the number of the round, from 0; later rounds use more pictures and marks
    pictures: the number of pictures that the model was fitted to
    grade: which sizes of the marks of the wish it finds
    false_alarms: how many pictures without marks it calls anomalous
    rate: the pictures in a second on this machine, with short queues
    seconds: the duration of the trial
    """

    name: str
    round: int
    pictures: int
    grade: GradeRecord
    false_alarms: FalseAlarmRecord
    rate: float
    seconds: float

    @property
    def size(self) -> float:
        """The size in pixels that is found with 95 % probability; infinite if none of the sizes is."""
        return inf if self.grade.smallest is None else self.grade.smallest

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of that size; an end beyond the sizes that were tried is 0 or infinite."""
        low = self.grade.low
        if low is None:
            low = 0.0 if self.size < inf else float(self.grade.tried[-1].size) if self.grade.tried else inf
        return low, inf if self.grade.high is None else self.grade.high

    def miss(self, wish: Wish) -> tuple[float, float]:
        """Smaller if the model finds smaller marks: the size, and the probability that one of the wish is missed.

        The probability ranks models of which none finds any size with 95 % probability.
        """
        if not self.grade.tried:
            return inf, 1.0
        curve = fit_detection([Tried(each.size, each.tried, each.found) for each in self.grade.tried])
        return self.size, 1.0 - curve.probability(wish.size)


def is_better(one: Result, other: Result, wish: Wish) -> bool:
    """Whether one result is at least as fast and finds at least as small marks, and is better in one of the two."""
    ones, others = one.miss(wish), other.miss(wish)
    return one.rate >= other.rate and ones <= others and (one.rate > other.rate or ones < others)


def front(results: Sequence[Result], wish: Wish) -> list[Result]:
    """The results than which none is better, the fastest first. Those that find no size are left out."""
    found = [each for each in results if each.size < inf]
    best = [each for each in found if not any(is_better(other, each, wish) for other in found)]
    return sorted(best, key=lambda each: -each.rate)


def latest(results: Sequence[Result]) -> list[Result]:
    """The result of the last round of each configuration, in the order of their first trials."""
    found: dict[str, Result] = {}
    for each in sorted(results, key=lambda result: result.round):
        found[each.name] = each
    return list(found.values())


def survivors(results: Sequence[Result], wish: Wish) -> list[Result]:
    """The better half of the results of a round, the best first.

    Those that are fast enough come first, the smallest size first; then the others, the fastest first.
    """
    ordered = sorted(
        results, key=lambda each: (0, *each.miss(wish)) if each.rate >= wish.rate else (1, -each.rate, 0.0)
    )
    return ordered[: (len(ordered) + 1) // 2]


def choice(results: Sequence[Result], wish: Wish) -> Result | None:
    """The result that grants the wish, or may: its interval has the size. None: no result does.

    Results of few marks and pictures are uncertain. The one with the smallest size is taken; of equal ones the fastest.
    """
    granted = [each for each in results if each.rate >= wish.rate and each.size < inf and each.interval[0] <= wish.size]
    return min(granted, key=lambda each: (each.size, -each.rate), default=None)
