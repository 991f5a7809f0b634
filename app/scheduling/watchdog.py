"""Decides when a lane is stuck: a state machine without threads and clocks."""

from collections.abc import Mapping
from dataclasses import dataclass

from app.scheduling.dispatcher import Running

MEGAPIXEL = 2**20
"""The size of a unit that may take `stuck_after_s`; a larger unit may take longer, in proportion."""
REPORTED_S = 10.0
"""Probes report a fault that only another process can cure for at most this long, before the server ends itself."""


@dataclass(frozen=True, slots=True)
class Stuck:
    """A unit that takes too long.

    lane: the lane that runs it
    unit: the unit
    age_s: for how long it has run
    limit_s: for how long it may run
    """

    lane: int
    unit: Running
    age_s: float
    limit_s: float


class Watchdog:
    """Measures how long each lane has run its unit, and how long faults last.

    Time that passes between two looks counts as at most two intervals, so that neither a stopped process nor a jump of
    the clock makes a unit old. Slow machines are allowed for by `stuck_after_s`, which is the time of a megapixel, and
    by the size of the unit.
    """

    def __init__(self, stuck_after_s: float) -> None:
        self._stuck_after_s = stuck_after_s
        self.interval_s = min(1.0, stuck_after_s / 4)
        """The time between two looks."""
        self._ages: dict[int, tuple[Running, float]] = {}
        self._last_s: float | None = None
        self._down_s = self._fatal_s = 0.0

    def look(self, now_s: float, running: Mapping[int, Running], *, down: bool, fatal: bool) -> list[Stuck]:
        """Returns the units that take too long.

        running: the unit of each busy lane
        down: whether no device works
        fatal: whether there is a fault that only another process can cure
        """
        elapsed_s = 0.0 if self._last_s is None else min(max(now_s - self._last_s, 0.0), 2 * self.interval_s)
        self._last_s = now_s
        known, self._ages = self._ages, {}
        for lane, unit in running.items():
            before = known.get(lane)
            self._ages[lane] = unit, (before[1] + elapsed_s if before is not None and before[0] == unit else 0.0)
        self._down_s = self._down_s + elapsed_s if down else 0.0
        self._fatal_s = self._fatal_s + elapsed_s if fatal else 0.0
        ages = (Stuck(lane, unit, age_s, self._limit_s(unit)) for lane, (unit, age_s) in self._ages.items())
        return [each for each in ages if each.age_s > each.limit_s]

    @property
    def down_s(self) -> float | None:
        """For how long no device has worked, if that is longer than `stuck_after_s`; else None."""
        return self._down_s if self._down_s > self._stuck_after_s else None

    @property
    def must_end(self) -> bool:
        """Whether probes have reported a fatal fault for long enough."""
        return self._fatal_s > min(self._stuck_after_s, REPORTED_S)

    def _limit_s(self, unit: Running) -> float:
        return self._stuck_after_s * max(1.0, unit.pixels / MEGAPIXEL)
