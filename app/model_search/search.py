"""The search: successive halving (Jamieson and Talwalkar 2016, arXiv:1502.07943) under a budget of time.

Configurations get short trials, as many as nearly half of the budget allows. The better half gets trials with twice as
many pictures and marks, and so on, the best first.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from math import inf
from typing import Protocol

from app.errors import InvalidParameter, TesseraError
from app.model_search.configurations import Configuration
from app.model_search.result import Result, survivors
from app.model_search.wish import Wish
from app.progress import Progress

ENDS = (0.45, 0.75, 1.0)
"""The shares of the budget at which rounds end. Half as many trials of a later round take as long as those of the first
if pictures and marks take most of the time, and half as long if loading and measuring models do.
"""

ROUNDS = len(ENDS)
LEAST_BUDGET_S = 30.0
HOPELESS = 0.8
"""The share of the wished rate that the fastest must reach in the first round: measured speeds vary by less."""


class Try(Protocol):
    """Makes a trial: see Trials.result."""

    def __call__(self, configuration: Configuration, round: int, rate: float | None, progress: Progress) -> Result: ...


@dataclass(slots=True)
class Found:
    """What a search has found so far.

    results: of all rounds, in the order of the trials
    left_out: the configurations that cannot be trained, with the reasons
    """

    results: list[Result] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)

    def of_round(self, round: int) -> list[Result]:
        """The results of a round."""
        return [each for each in self.results if each.round == round]

    @property
    def last(self) -> list[Result]:
        """The results of the last round."""
        return self.of_round(max((each.round for each in self.results), default=0))


@dataclass(frozen=True, slots=True)
class Search:
    """A search.

    trial: makes a trial
    budget_s: the time for all trials in seconds, those included that an earlier search has left
    changed: is called after each trial, with the results of all trials so far and the name of the last configuration
    clock: the time in seconds
    """

    configurations: Sequence[Configuration]
    wish: Wish
    budget_s: float
    trial: Try
    changed: Callable[[Found, str], None]
    clock: Callable[[], float]

    def __post_init__(self) -> None:
        if not LEAST_BUDGET_S <= self.budget_s < inf:
            raise InvalidParameter(
                f"budget is {self.budget_s:g} s; a search needs {LEAST_BUDGET_S:g} s or more, and some 20 trials: "
                "10m to 30m for pictures of a megapixel"
            )

    def run(self, found: Found, progress: Progress) -> None:
        """Adds results to `found` until the last round is complete, or the budget is spent.

        Raises InvalidParameter if the budget is too short for one trial, or if no configuration is fast enough; and
        the first error if none can be trained.
        """
        spent, start_s = _Spent(sum(each.seconds for each in found.results)), 0.0
        while self._pass(found, spent, start_s, progress) or start_s < spent.seconds:
            start_s = spent.seconds  # the time that is left is for more configurations

    def _pass(self, found: Found, spent: "_Spent", start_s: float, progress: Progress) -> bool:
        """Makes the trials of all rounds that are missing and for which there is time; whether there were some.

        start_s: the time that was spent before the pass: the shares of the rounds are those of the rest
        """
        before, going = len(found.results), list(self.configurations)
        for round in range(ROUNDS):
            until_s = start_s + (self.budget_s - start_s) * ENDS[round]
            self._round(round, going, found, spent, until_s, progress)
            results = found.of_round(round)
            if round == 0:
                self._require_hope(results, spent)
            names = [each.name for each in survivors(results, self.wish)]
            going = sorted((each for each in going if each.name in names), key=lambda each: names.index(each.name))
        return len(found.results) > before

    def _round(
        self,
        round: int,
        going: Sequence[Configuration],
        found: Found,
        spent: "_Spent",
        until_s: float,
        progress: Progress,
    ) -> None:
        known = {(each.name, each.round): each for each in found.results}
        errors: list[TesseraError] = []
        for configuration in going:
            name = configuration.name
            if (name, round) in known or name in found.left_out:
                continue
            before = known.get((name, round - 1))
            expected_s = self._expected_s(found.of_round(round), before)
            if spent.seconds + expected_s > until_s:
                break
            left_s = max(self.budget_s - spent.seconds, 0.0)
            title = f"round {round + 1} of {ROUNDS}, {left_s:.0f} s of the budget left: {name}"
            done = len(found.results)
            trials = partial(progress, "trials", done, done + _ahead(len(going), expected_s, left_s))
            trials(title)
            started_s = self.clock()
            try:
                result = self.trial(
                    configuration, round, None if before is None else before.rate, _within(trials, title)
                )
            except TesseraError as error:
                found.left_out[name] = str(error)
                errors.append(error)
            else:
                found.results.append(result)
            spent.seconds += self.clock() - started_s
            self.changed(found, name)
        if round == 0 and not found.results:
            raise errors[0] if errors else InvalidParameter("no configuration can be trained; see left_out in the JSON")

    def _expected_s(self, results: Sequence[Result], before: Result | None) -> float:
        """The seconds of the next trial. The first one is always made."""
        if results:
            return sum(each.seconds for each in results) / len(results)
        return 2 * before.seconds if before is not None else 0.0

    def _require_hope(self, results: Sequence[Result], spent: "_Spent") -> None:
        if spent.seconds > self.budget_s:
            longest = max(each.seconds for each in results)
            raise InvalidParameter(
                f"budget is {self.budget_s:g} s, and the first trial took {longest:.0f} s, so that nothing can be "
                f"compared; give {20 * longest / 60:.0f}m or more, or smaller pictures (data.image_size)"
            )
        fastest = max(results, key=lambda each: each.rate)
        if fastest.rate < HOPELESS * self.wish.rate:
            raise InvalidParameter(
                f"rate is {self.wish.rate:g} pictures a second, and the fastest of {len(results)} configurations takes "
                f"{fastest.rate:.2g} on this machine ({fastest.name}); wish for {fastest.rate:.2g} or less, use "
                "smaller pictures (data.image_size), or a faster machine"
            )


@dataclass(slots=True)
class _Spent:
    """The time that trials took so far."""

    seconds: float


def _ahead(going: int, trial_s: float, left_s: float) -> int:
    """About how many trials there are still, from the seconds of one and the time that is left; at least one."""
    most = 2 * going
    return max(1, min(most, round(left_s / trial_s)) if trial_s else most)


def _within(report: Callable[[str], None], title: str) -> Progress:
    """Reports the stages of a trial as notes of the trial."""

    def progress(stage: str, done: int, total: int, note: str = "") -> None:
        report(f"{title}, {stage} {done} of {total}")

    return progress
