"""Ranks candidates by measured time, on a machine with other load."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Generic, TypeVar

Timer = Callable[[Callable[[], object]], float]
"""Runs work once, and returns its seconds."""

C = TypeVar("C")
B = TypeVar("B")

REPETITIONS = 3
CLEAR_LOSS_RATIO = 1.3
"""A challenger that takes this many times as long as the champion in its first run is not measured again."""


@dataclass(frozen=True, slots=True)
class Trial(Generic[C]):
    """A candidate and its measured seconds."""

    candidate: C
    seconds: float


def rank(
    candidates: Sequence[C],
    build: Callable[[C], B],
    seconds: Callable[[B], float],
    budget_s: float,
    gain: float,
    clock: Callable[[], float] = perf_counter,
) -> list[Trial[C]]:
    """The measured candidates: the champion first, then the others, the fastest first.

    `build` makes a candidate ready to run; `seconds` runs the built candidate once, and returns the time.

    The champion and a challenger run in turn, so that other load affects both, and the best run of each counts. A
    challenger becomes the champion if it takes at most the share `gain` of the champion's time. At most two candidates
    are built at a time. After `budget_s` no further challenger is tried.
    """
    started = clock()
    champion, *challengers = candidates
    current = build(champion)
    seconds(current)  # the first run is slower: kernels are chosen, memory is allocated
    best_s = seconds(current)
    trials = [Trial(champion, best_s)]
    for challenger in challengers:
        if clock() - started > budget_s:
            break
        other = build(challenger)
        seconds(other)
        own_s, other_s = _duel(current, other, seconds, lambda: clock() - started > budget_s)
        trial = Trial(challenger, best_s * other_s / own_s)
        if other_s <= gain * own_s:
            trials.insert(0, trial)
            current, best_s = other, trial.seconds
        else:
            trials.append(trial)
    return trials[:1] + sorted(trials[1:], key=lambda trial: trial.seconds)


def _duel(one: B, other: B, seconds: Callable[[B], float], is_spent: Callable[[], bool]) -> tuple[float, float]:
    """The shortest time of each. Both run in turn, fewer times if the budget is spent or `other` clearly loses."""
    one_s, other_s = seconds(one), seconds(other)
    for _ in range(REPETITIONS - 1):
        if is_spent() or other_s > CLEAR_LOSS_RATIO * one_s:
            break
        one_s, other_s = min(one_s, seconds(one)), min(other_s, seconds(other))
    return one_s, other_s
