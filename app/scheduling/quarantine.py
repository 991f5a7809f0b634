"""Records which lanes' devices failed, and when each is tested again."""

from dataclasses import dataclass

FIRST_S, LONGEST_S = 1.0, 60.0
"""The pause before a failed device is tested, in seconds. It doubles with each failure in a row, up to LONGEST_S."""


@dataclass(slots=True)
class _Failure:
    pause_s: float
    due_s: float


class Quarantine:
    """The lanes whose devices failed: a circuit breaker, half-open once a pause has passed."""

    def __init__(self) -> None:
        self._failures: dict[int, _Failure] = {}

    @property
    def lanes(self) -> frozenset[int]:
        """The lanes that failed and have not worked since."""
        return frozenset(self._failures)

    def fail(self, lane: int, now_s: float) -> float:
        """Records a failure of the lane's device. Returns the seconds until the device is tested."""
        before = self._failures.get(lane)
        pause_s = FIRST_S if before is None else min(2 * before.pause_s, LONGEST_S)
        self._failures[lane] = _Failure(pause_s, now_s + pause_s)
        return pause_s

    def recover(self, lane: int) -> None:
        """Records that the lane's device works."""
        self._failures.pop(lane, None)

    def due_s(self, lane: int) -> float | None:
        """The time at which the lane's device is to be tested; None if it did not fail."""
        failure = self._failures.get(lane)
        return None if failure is None else failure.due_s
