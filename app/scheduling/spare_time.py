"""Limits background work while there is other work."""

SHARE = 0.05
"""The share of the devices' time that background work gets while there is other work."""
MOST_S = 1.0
"""Background work saves up at most this time, so that it never delays other work by several units in a row."""


class SpareTime:
    """The device time that background work may use: all time without other work, and a share of all other time.

    The time of a unit like the last one is saved up first; the rest of a longer one is paid for afterwards.
    """

    def __init__(self) -> None:
        self._saved_s = self._last_s = 0.0

    def used(self, seconds: float, *, background: bool, alone: bool) -> None:
        """A unit has run. `alone`: there was no other work than background work when it ended."""
        if not background:
            self._saved_s = min(self._saved_s + SHARE * seconds, MOST_S)
            return
        self._last_s = seconds
        if not alone:
            self._saved_s -= seconds

    @property
    def suffices(self) -> bool:
        """Whether background work may use time although there is other work."""
        return self._saved_s > 0.0 and self._saved_s >= min(self._last_s, MOST_S)
