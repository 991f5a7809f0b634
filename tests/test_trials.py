"""Candidates are ranked in virtual time."""

from collections import Counter

import pytest

from app.trials import CLEAR_LOSS_RATIO, REPETITIONS, rank


class Machine:
    """A run of a candidate takes its entry of `seconds`, multiplied by `slowdown()`: the effect of other load."""

    def __init__(self, seconds: dict[str, float]) -> None:
        self.now, self.built, self.runs = 0.0, Counter[str](), Counter[str]()
        self._seconds = seconds

    def build(self, name: str) -> str:
        self.built[name] += 1
        return name

    def slowdown(self) -> float:
        return 1.0

    def run(self, name: str) -> float:
        seconds = self._seconds[name] * self.slowdown()
        self.runs[name] += 1
        self.now += seconds
        return seconds

    def rank(self, budget_s: float = 100.0, gain: float = 0.97) -> list[str]:
        trials = rank(list(self._seconds), self.build, self.run, budget_s, gain, lambda: self.now)
        return [trial.candidate for trial in trials]


@pytest.mark.parametrize("best", ["a", "b", "c"])
def test_the_fastest_candidate_is_first_and_each_is_built_once(best: str) -> None:
    machine = Machine({name: 0.5 if name == best else 1.0 for name in "abc"})
    assert machine.rank()[0] == best
    assert machine.built == Counter("abc")


def test_candidates_are_ordered_by_their_seconds() -> None:
    machine = Machine({"a": 1.0, "b": 1.2, "c": 0.6, "d": 1.1})
    assert machine.rank() == ["c", "a", "d", "b"]


def test_a_challenger_wins_only_by_the_required_gain() -> None:
    assert Machine({"a": 1.0, "b": 0.95}).rank(gain=0.9)[0] == "a"
    assert Machine({"a": 1.0, "b": 0.95}).rank(gain=0.97)[0] == "b"


def test_a_machine_that_slows_down_does_not_change_the_winner() -> None:
    class Drifting(Machine):
        def slowdown(self) -> float:
            return 1.0 + self.now  # twice as slow after a second, three times after two

    machine = Drifting({"a": 0.01, "b": 0.009, "c": 0.0095})
    assert machine.rank()[0] == "b"


def test_a_clear_loser_is_measured_once() -> None:
    machine = Machine({"a": 1.0, "b": CLEAR_LOSS_RATIO + 0.1, "c": CLEAR_LOSS_RATIO - 0.1})
    machine.rank()
    assert (machine.runs["b"], machine.runs["c"]) == (1 + 1, 1 + REPETITIONS)


def test_no_candidate_is_tried_after_the_budget_is_spent() -> None:
    machine = Machine({"a": 1.0, "b": 1.0, "c": 0.1})
    assert machine.rank(budget_s=2.5) == ["a", "b"]
    assert machine.rank(budget_s=0.0) == ["a"]
