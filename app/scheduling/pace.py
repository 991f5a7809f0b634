"""Measures the recent throughput of the devices."""

HALF_LIFE_TILES = 64


class Pace:
    """An exponential average of tiles per second; measurements lose half their weight in HALF_LIFE_TILES tiles.

    Tiles and seconds decay together. So time in which no tile finished, such as that of a map, counts as well.
    """

    def __init__(self) -> None:
        self._tiles = self._seconds = 0.0

    def add(self, tiles: int, seconds: float) -> None:
        """Adds a measurement."""
        kept = 0.5 ** (tiles / HALF_LIFE_TILES)
        self._tiles = self._tiles * kept + tiles
        self._seconds = self._seconds * kept + seconds

    @property
    def tiles_per_s(self) -> float | None:
        """The recent throughput; None before the first measurement."""
        return self._tiles / self._seconds if self._tiles and self._seconds > 0 else None
