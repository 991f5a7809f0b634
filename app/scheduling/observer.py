"""Where the measurements of the scheduler go."""

from typing import Literal, Protocol

End = Literal["done", "failed", "dropped"]


class Observer(Protocol):
    """Is told what happens, from the thread in which it happens; must be quick and must not raise."""

    def queue_changed(self, tiles: int) -> None:
        """So many tiles are waiting or running now."""

    def flight_changed(self, pictures: int) -> None:
        """Devices have so many pictures in work now."""

    def batch_done(self, tiles: int, room: int, seconds: float) -> None:
        """A batch of so many tiles took so long, and might have had `room` tiles."""

    def batch_failed(self, tiles: int, seconds: float) -> None:
        """A batch of so many tiles failed after so long."""

    def step_done(self, seconds: float) -> None:
        """A step of a picture's own work took so long."""

    def picture_ended(self, how: End) -> None:
        """A picture that a device had has its outcome, failed, or was no longer wanted."""


class SilentObserver:
    """Keeps nothing."""

    def queue_changed(self, tiles: int) -> None:
        """See Observer."""

    def flight_changed(self, pictures: int) -> None:
        """See Observer."""

    def batch_done(self, tiles: int, room: int, seconds: float) -> None:
        """See Observer."""

    def batch_failed(self, tiles: int, seconds: float) -> None:
        """See Observer."""

    def step_done(self, seconds: float) -> None:
        """See Observer."""

    def picture_ended(self, how: End) -> None:
        """See Observer."""
