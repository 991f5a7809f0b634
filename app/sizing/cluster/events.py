"""The core of the simulation by discrete events: actions in the order of time, and stations with queues.

`heapq` suffices. A station serves in order of arrival, and the duration of a stay is known when it begins, so one event
a stay is enough: the arrival computes the departure. SimPy (MIT) would need a process for each picture, and several
events for each stay.
"""

from collections.abc import Callable
from heapq import heappop, heappush, heapreplace
from itertools import count

Action = Callable[[float], None]
"""What happens at a time, which it gets in seconds."""


class Events:
    """Runs actions in the order of their times; those of the same time in the order in which they were added."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Action]] = []
        self._numbers = count()

    def add(self, time_s: float, action: Action) -> None:
        heappush(self._heap, (time_s, next(self._numbers), action))

    def run(self) -> None:
        """Runs all actions, also those that actions add."""
        while self._heap:
            time_s, _, action = heappop(self._heap)
            action(time_s)


class Station:
    """Equal units, such as the processors of a machine, with one queue: who came first is served first.

    busy_s: the seconds for which its units were busy, together
    """

    def __init__(self, units: int) -> None:
        self._free_s = [0.0] * units  # a heap: when each unit is free
        self.busy_s = 0.0

    def departure_s(self, now_s: float, seconds: float) -> float:
        """The time at which a stay ends that arrives now and holds one unit for `seconds`.

        Call it in the order of arrival.
        """
        ends_s = max(now_s, self._free_s[0]) + seconds
        heapreplace(self._free_s, ends_s)
        self.busy_s += seconds
        return ends_s
