"""How fast the device is, of late."""

HALF_LIFE_TILES = 64


class Pace:
    """Tiles per second, in which what was measured `HALF_LIFE_TILES` tiles ago counts half.

    Tiles and seconds fade alike, and so time in which no tile was finished (a map, say) is counted, too.
    """

    def __init__(self) -> None:
        self._tiles = self._seconds = 0.0

    def add(self, tiles: int, seconds: float) -> None:
        """So many tiles took so long."""
        kept = 0.5 ** (tiles / HALF_LIFE_TILES)
        self._tiles = self._tiles * kept + tiles
        self._seconds = self._seconds * kept + seconds

    @property
    def tiles_per_s(self) -> float | None:
        """None before anything was measured."""
        return self._tiles / self._seconds if self._tiles and self._seconds > 0 else None
