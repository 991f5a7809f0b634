"""Estimates how long a training still takes."""

from collections.abc import Callable
from datetime import timedelta
from time import monotonic

from app.progress import Progress

ANNOUNCEMENT = "estimate"
"""The stage of a report that only announces the time of the whole training."""
WARM_S = 2.0  # the shortest time from which the pace of a stage is taken


class TimeLeft:
    """A Progress that adds the remaining time of the whole training to the notes, once that was announced.

    The time of the current stage follows from its pace, without its first unit, which is slower. The time of later
    stages is what was expected of them.
    """

    def __init__(self, progress: Progress, clock: Callable[[], float] = monotonic) -> None:
        self._progress, self._clock = progress, clock
        self._started_s = clock()
        self._expected_s: dict[str, float] = {}
        self._stage, self._done, self._total = "", 0, 0
        self._first = self._last = (self._started_s, 0)  # of the current stage: time and units done
        self.is_announced = False

    @classmethod
    def of(cls, progress: Progress) -> "TimeLeft":
        """`progress` itself if it estimates the time already, as it does after the choice of a detector."""
        return progress if isinstance(progress, TimeLeft) else cls(progress)

    def __call__(self, stage: str, done: int, total: int, note: str = "") -> None:
        now = self._clock(), done
        if stage != self._stage:
            self._begin(stage)
            self._first = now
        self._last, self._done, self._total = now, done, total
        if self.is_announced:
            note = ", ".join(filter(None, (note, f"{_rounded(self.seconds)} left in all")))
        self._progress(stage, done, total, note)

    def expect(self, stage: str, seconds: float) -> None:
        """Sets the time that a whole stage is expected to take. Stages are expected in their order."""
        self._expected_s[stage] = seconds

    def forget(self) -> None:
        """Forgets what was expected of all stages."""
        self._expected_s.clear()

    def leave_out(self, seconds: float) -> None:
        """Leaves a time, which was just spent on other work, out of the pace of the current stage."""
        time_s, units = self._first
        self._first = time_s + seconds, units

    def _begin(self, stage: str) -> None:
        """Forgets the stages before this one."""
        names = list(self._expected_s)
        passed = names.index(stage) if stage in names else int(self._stage in names)
        for name in names[:passed]:
            del self._expected_s[name]
        self._stage = stage

    @property
    def pace_s(self) -> float | None:
        """The seconds of a unit of the current stage; None: not known yet."""
        spent, units = (last - first for last, first in zip(self._last, self._first, strict=True))
        return spent / units if units and spent >= WARM_S else None

    @property
    def seconds(self) -> float:
        """The estimated seconds until the end of the training."""
        return self._current_s() + sum(self._later().values())

    def announce(self, words: str = "") -> None:
        """Reports the time of the whole training and of its stages. Later notes have the remaining time."""
        self.is_announced = True
        spent = self._clock() - self._started_s
        stages = {self._stage: self._current_s() + spent} if self._stage else {}
        parts = ", ".join(f"{stage} {_rounded(seconds)}" for stage, seconds in (stages | self._later()).items())
        self._progress(ANNOUNCEMENT, 1, 1, f"{words}{_rounded(spent + self.seconds)} in all ({parts})")

    def _later(self) -> dict[str, float]:
        return {stage: seconds for stage, seconds in self._expected_s.items() if stage != self._stage}

    def _current_s(self) -> float:
        left, pace = self._total - self._done, self.pace_s
        if pace is not None:
            return left * pace
        return self._expected_s.get(self._stage, 0.0) * left / max(self._total, 1)


def _rounded(seconds: float) -> str:
    return str(timedelta(seconds=round(seconds)))
