"""Keeps the event loop from holding the interpreter while lanes compute."""

from collections.abc import Callable
from selectors import DefaultSelector, SelectorKey
from time import monotonic, sleep, thread_time

SHARE = 1 / 4
"""The share of a processor that the event loop takes at most while lanes compute."""
BURST_S = 0.02
"""The processor time that it may take at once after it was idle."""
LONGEST_S = 0.005
"""The longest sleep: what arrives meanwhile waits for so long."""


class SharingSelector(DefaultSelector):
    """The selector of an event loop that shares the interpreter with threads that compute.

    While `is_needed()`, and the loop has taken more than its share of a processor, the loop sleeps before it
    looks for new events. A thread takes the interpreter back after each operation of torch, thousands of times for a
    picture. While another thread does many short system calls, as an event loop under a flood of requests, CPython
    lets it wait for milliseconds each time: whoever calls the system takes the interpreter back before the waiting
    thread has woken. Asleep, the loop leaves it alone.
    """

    def __init__(self, is_needed: Callable[[], bool]) -> None:
        super().__init__()
        self._is_needed = is_needed
        self._credit_s, self._now_s, self._used_s = BURST_S, monotonic(), thread_time()

    def select(self, timeout: float | None = None) -> list[tuple[SelectorKey, int]]:
        """Like that of selectors.BaseSelector."""
        now_s, used_s = monotonic(), thread_time()
        earned_s = SHARE * (now_s - self._now_s) - (used_s - self._used_s)
        self._credit_s = min(self._credit_s + earned_s, BURST_S)
        self._now_s, self._used_s = now_s, used_s
        if self._credit_s < 0:
            if self._is_needed():
                sleep(min(-self._credit_s / SHARE, LONGEST_S))
                timeout = None if timeout is None else max(timeout - (monotonic() - now_s), 0.0)
            else:
                self._credit_s = 0.0
        return super().select(timeout)
