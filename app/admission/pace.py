"""Measures the recent rate at which work is done."""


class Pace:
    """An exponential average of work per second; measurements lose half their weight in `half_life` units of work.

    Work and seconds decay together. So time in which no work ended, such as that of a map, counts as well.
    """

    def __init__(self, half_life: float) -> None:
        self._half_life = half_life
        self._work = self._seconds = 0.0

    def add(self, work: int, seconds: float) -> None:
        """Adds a measurement."""
        kept = 0.5 ** (work / self._half_life)
        self._work = self._work * kept + work
        self._seconds = self._seconds * kept + seconds

    @property
    def per_s(self) -> float | None:
        """The recent rate; None before the first measurement."""
        return self._work / self._seconds if self._work and self._seconds > 0 else None
