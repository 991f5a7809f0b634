"""Records which lanes' devices failed or are suspected, and when each is tested."""

from dataclasses import dataclass

FIRST_S, LONGEST_S = 1.0, 60.0
"""The pause before a failed device is tested, in seconds. It doubles with each failure in a row, up to LONGEST_S."""
SUSPICIOUS_FAILURES = 3
"""A device is tested after this many failed units without a successful batch in between."""


@dataclass(slots=True)
class _Case:
    due_s: float
    pause_s: float = 0.0
    failed: bool = False
    closed: bool = False


class Quarantine:
    """The lanes whose devices failed: a circuit breaker, half-open once a pause has passed.

    A lane is *closed* if its device may compute wrong numbers: it takes no picture before its device passed a test. A
    failed lane that is not closed raised an error; a picture may serve as the test of its device.
    """

    def __init__(self) -> None:
        self._cases: dict[int, _Case] = {}
        self._failures: dict[int, int] = {}

    @property
    def failed(self) -> frozenset[int]:
        """The lanes that failed and have not worked since."""
        return frozenset(lane for lane, case in self._cases.items() if case.failed)

    @property
    def closed(self) -> frozenset[int]:
        """The lanes that take no picture before a test."""
        return frozenset(lane for lane, case in self._cases.items() if case.closed)

    def fail(self, lane: int, now_s: float) -> float:
        """Records a failure of the lane's device. Returns the seconds until the device is tested."""
        case = self._cases.setdefault(lane, _Case(now_s))
        case.failed = True
        case.pause_s = min(2 * case.pause_s, LONGEST_S) if case.pause_s else FIRST_S
        case.due_s = now_s + case.pause_s
        return case.pause_s

    def suspect(self, lane: int, now_s: float) -> None:
        """Closes the lane, and makes its device due for a test, at once unless it failed already."""
        self._cases.setdefault(lane, _Case(now_s)).closed = True
        self._failures.pop(lane, None)

    def unexplained(self, lane: int, now_s: float) -> None:
        """Records a failure whose cause may be the picture or the device: several in a row make a suspicion."""
        self._failures[lane] = self._failures.get(lane, 0) + 1
        if self._failures[lane] >= SUSPICIOUS_FAILURES:
            self.suspect(lane, now_s)

    def succeed(self, lane: int) -> None:
        """Records that a batch succeeded, which does not show that a closed lane's numbers are right."""
        self._failures.pop(lane, None)
        if lane not in self.closed:
            self._cases.pop(lane, None)

    def recover(self, lane: int) -> None:
        """Records that the lane's device passed its test."""
        self._failures.pop(lane, None)
        self._cases.pop(lane, None)

    def due_s(self, lane: int) -> float | None:
        """The time at which the lane's device is to be tested; None if there is no reason."""
        case = self._cases.get(lane)
        return None if case is None else case.due_s
