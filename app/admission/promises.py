"""What refused clients were told: each promise is room that a client may take when it comes back."""

from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import count

GRACE_S = 5.0
"""A promise lapses this long after the told time: an upload takes a while."""
GRACE_SHARE = 0.25
"""The share of the told time that is added to GRACE_S: clients with a long wait are less exact."""


@dataclass(slots=True, eq=False)
class Promise:
    """Room that is kept for a refused client until it comes back.

    amount: the room, in the budget's unit
    work: the work that must run until the room is free again, in the budget's unit
    line: the number of its line; see Budget
    due_s: the time from which the client may come back
    """

    amount: int
    work: int
    line: int
    due_s: float


class Promises:
    """The promises that were neither kept nor have lapsed. Not thread-safe.

    A client that comes back is recognised by its key: the same request has the same key. `ended` is called with each
    promise that is kept or lapses.
    """

    def __init__(self, ended: Callable[[Promise], None]) -> None:
        self._ended = ended
        self._of: defaultdict[Hashable, list[tuple[float, int, Promise]]] = defaultdict(list)  # sorted
        self._lapsing: list[tuple[float, int, Hashable, Promise]] = []  # a heap
        self._open: set[Promise] = set()
        self._numbers = count()

    def __len__(self) -> int:
        return len(self._open)

    def add(self, key: Hashable, promise: Promise, now_s: float) -> None:
        """Keeps the promise until it is taken or lapses."""
        number, lapse_s = next(self._numbers), GRACE_S + GRACE_SHARE * (promise.due_s - now_s)
        self._open.add(promise)
        insort(self._of[key], (promise.due_s, number, promise))
        heappush(self._lapsing, (promise.due_s + lapse_s, number, key, promise))

    def take(self, key: Hashable, now_s: float) -> Promise | None:
        """Removes and returns the oldest promise with this key that is due; None if there is none."""
        self.lapse(now_s)
        due = self._of.get(key)
        if not due or due[0][0] > now_s:
            return None
        promise = due.pop(0)[2]
        if not due:
            del self._of[key]
        self._end(promise)
        return promise

    def lapse(self, now_s: float) -> None:
        """Ends the promises whose clients did not come back in time."""
        while self._lapsing and (self._lapsing[0][0] <= now_s or self._lapsing[0][3] not in self._open):
            _, number, key, promise = heappop(self._lapsing)
            if promise in self._open:
                due = self._of[key]
                due.pop(bisect_left(due, (promise.due_s, number, promise)))
                if not due:
                    del self._of[key]
                self._end(promise)

    def _end(self, promise: Promise) -> None:
        self._open.remove(promise)
        self._ended(promise)
