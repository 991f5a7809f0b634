"""Which event of a queue is sent next: a state machine without threads and clocks."""

from collections.abc import Callable
from dataclasses import dataclass, field

from app.events.backoff import wait_s
from app.events.outbox import Key

MOST = 1000
"""The events that are tried in turn. While this many wait for their next attempt, no further one is begun."""
DOWN_AFTER = 8
"""After this many failures in a row, of any events, the receiver counts as down, and gets one event at a time."""


@dataclass(slots=True)
class _Waiting:
    failures: int = 0
    not_before_s: float = 0.0
    in_flight: bool = False


@dataclass(slots=True)
class Window:
    """The events that wait, in their order. Times are seconds of one clock.

    An event that fails waits longer each time, and lets the others pass: a receiver that refuses one event still gets
    the rest. A receiver that takes nothing gets one attempt at a time, after growing waits.
    """

    chance: Callable[[], float]
    failures: int = 0
    """The number of failures since the last success."""
    _waiting: dict[Key, _Waiting] = field(default_factory=dict)
    _not_before_s: float = 0.0

    @property
    def room(self) -> int:
        """The number of events that may be added."""
        return MOST - len(self._waiting)

    def add(self, key: Key) -> None:
        self._waiting[key] = _Waiting()

    def next(self, now_s: float) -> Key | float | None:
        """The event to send now, or the time at which there may be one; None: no event waits for a time."""
        if self.failures >= DOWN_AFTER and any(each.in_flight for each in self._waiting.values()):
            return None
        idle = [(key, each) for key, each in self._waiting.items() if not each.in_flight]
        if not idle:
            return None
        if now_s < self._not_before_s:
            return self._not_before_s
        for key, each in idle:
            if each.not_before_s <= now_s:
                each.in_flight = True
                return key
        return min(each.not_before_s for _, each in idle)

    def done(self, key: Key) -> None:
        """The event was delivered, or is no longer there."""
        del self._waiting[key]
        self.failures, self._not_before_s = 0, 0.0

    def failed(self, key: Key, now_s: float, asked_s: float | None) -> None:
        """The event was not delivered; `asked_s`: the wait that the receiver asks for."""
        self.failures += 1
        each = self._waiting[key]
        each.failures, each.in_flight = each.failures + 1, False
        each.not_before_s = now_s + wait_s(each.failures, self.chance, asked_s)
        if asked_s or self.failures >= DOWN_AFTER:
            pause_s = wait_s(max(self.failures - DOWN_AFTER + 1, 1), self.chance, asked_s)
            self._not_before_s = max(self._not_before_s, now_s + pause_s)
