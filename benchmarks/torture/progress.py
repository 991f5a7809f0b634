"""Shows how far a part is, at most once in some seconds."""

from time import monotonic

EVERY_S = 15.0


class Progress:
    """The progress of `total` steps or seconds of a part."""

    def __init__(self, name: str, total: float) -> None:
        self._name, self._total, self._started = name, total, monotonic()
        self._shown = self._started

    def show(self, done: float, note: str = "") -> None:
        now = monotonic()
        if now - self._shown < EVERY_S:
            return
        self._shown = now
        left_s = (now - self._started) * (self._total / done - 1) if done else 0.0
        print(f"  {self._name}: {done:,.0f} of {self._total:,.0f}, {left_s:,.0f} s left {note}", flush=True)
