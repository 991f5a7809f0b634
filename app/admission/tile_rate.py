"""Limits the rate of tiles for each API key."""

from collections.abc import Callable
from threading import Lock
from time import monotonic

from app.errors import RateLimited

BURST_S = 1.0
"""The time whose tiles a caller that was idle may have computed at once."""
NAME = "tiles_per_s"


class TileRate:
    """A token bucket of tiles. Any thread may call any method.

    A request with more tiles than the bucket holds is admitted when the bucket is full, and the bucket then goes below
    zero. So every picture is admitted at some time, and the mean rate stays below the limit.
    """

    def __init__(self, owner: str, tiles_per_s: float, clock: Callable[[], float] = monotonic) -> None:
        self._owner, self._rate, self._clock = owner, tiles_per_s, clock
        self._room = max(tiles_per_s * BURST_S, 1.0)
        self._level, self._filled_s = self._room, clock()
        self._lock = Lock()

    def require(self, tiles: int) -> None:
        """Raises RateLimited, with the time at which the tiles may be taken if no others are taken before."""
        with self._lock:
            self._fill()
            missing = min(tiles, self._room) - self._level
        if missing > 1e-6:
            wait_s = missing / self._rate
            raise RateLimited(
                f"the key {self._owner!r} may have {self._rate:g} tiles a second computed ({NAME}), and the request "
                f"has {tiles:,}; come back in {wait_s:.1f} s",
                wait_s,
                NAME,
            )

    def take(self, tiles: int) -> None:
        """Counts tiles that were admitted."""
        with self._lock:
            self._fill()
            self._level -= tiles

    def _fill(self) -> None:
        now_s = self._clock()
        self._level = min(self._room, self._level + (now_s - self._filled_s) * self._rate)
        self._filled_s = now_s


class TileRates:
    """The rate of each owner; keys of one owner with equal limits share one."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._rates: dict[tuple[str, float], TileRate] = {}

    def of(self, owner: str, tiles_per_s: float) -> TileRate:
        """The rate of this owner. Call it on the event loop."""
        found = self._rates.get((owner, tiles_per_s))
        if found is None:
            found = self._rates[owner, tiles_per_s] = TileRate(owner, tiles_per_s, self._clock)
        return found
