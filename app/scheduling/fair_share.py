"""Dividing a resource's time fairly among those who want it."""

from collections.abc import Hashable, Sequence
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)


class FairShare(Generic[K]):
    """Start-time fair queueing: each key's time is counted, and the one with the least is next.

    A key that had nothing to do begins where the others are: it is owed nothing for the time in which it was away.
    Goyal, Vin and Cheng, "Start-time Fair Queuing", SIGCOMM 1996.
    """

    def __init__(self) -> None:
        self._spent: dict[K, float] = {}
        self._active: frozenset[K] = frozenset()
        self._clock = 0.0

    def pick(self, wanting: Sequence[K], patience_s: float = 0.0) -> K:
        """The first of the keys, which are ordered by preference, that is at most `patience_s` ahead of the last.

        The order decides between equals, and over that much time: it is what a key may take more than its share.
        """
        active = frozenset(wanting)
        for key in active - self._active:
            self._spent[key] = max(self._spent.get(key, 0.0), self._clock)
        self._active = active
        least = min(self._spent[key] for key in wanting)
        self._clock = max(self._clock, least)
        return next(key for key in wanting if self._spent[key] <= least + patience_s)

    def charge(self, key: K, seconds: float) -> None:
        """The key took so much of the time."""
        self._spent[key] = self._spent.get(key, self._clock) + seconds

    def reset(self) -> None:
        """Nobody wants anything, and so nobody is ahead of anybody."""
        self._spent.clear()
        self._active, self._clock = frozenset(), 0.0
