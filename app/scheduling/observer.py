"""Where the measurements of the scheduler go."""

from typing import Protocol


class Observer(Protocol):
    """Is told what happens, from the thread in which it happens; must be quick and must not raise."""

    def queue_changed(self, tiles: int) -> None:
        """So many tiles are waiting or running now."""

    def batch_done(self, tiles: int, seconds: float) -> None:
        """A batch of so many tiles took so long."""


class SilentObserver:
    """Keeps nothing."""

    def queue_changed(self, tiles: int) -> None:
        """See Observer."""

    def batch_done(self, tiles: int, seconds: float) -> None:
        """See Observer."""
