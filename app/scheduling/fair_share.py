"""Divides the time of a device fairly among keys."""

from collections.abc import Hashable, Sequence
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)


class FairShare(Generic[K]):
    """Start-time fair queueing: picks the key that has used the least device time.

    A key that was idle starts at the time of the active keys. It gets no credit for the time in which it was idle.
    Goyal, Vin and Cheng, "Start-time Fair Queuing", SIGCOMM 1996.
    """

    def __init__(self) -> None:
        self._spent: dict[K, float] = {}
        self._active: frozenset[K] = frozenset()
        self._clock = 0.0

    def pick(self, wanting: Sequence[K], patience_s: float = 0.0) -> K:
        """The most preferred key that has used at most `patience_s` more device time than the least used key.

        The keys are ordered by preference.
        """
        active = frozenset(wanting)
        for key in active - self._active:
            self._spent[key] = max(self._spent.get(key, 0.0), self._clock)
        self._active = active
        least = min(self._spent[key] for key in wanting)
        self._clock = max(self._clock, least)
        return next(key for key in wanting if self._spent[key] <= least + patience_s)

    def charge(self, key: K, seconds: float) -> None:
        """Adds device time that the key has used."""
        self._spent[key] = self._spent.get(key, self._clock) + seconds

    def reset(self) -> None:
        """Forgets all used time. To be called when no key is active."""
        self._spent.clear()
        self._active, self._clock = frozenset(), 0.0
