"""Receives the measurements of the device worker."""

from typing import Literal, Protocol

End = Literal["done", "failed", "dropped"]


class Observer(Protocol):
    """Is called in the thread that made the measurement. Calls must be fast and must not raise."""

    def queue_changed(self, tiles: int) -> None:
        """The number of tiles that wait or run has changed."""

    def flight_changed(self, pictures: int) -> None:
        """The number of pictures in flight has changed."""

    def batch_done(self, device: str, tiles: int, room: int, seconds: float) -> None:
        """A batch succeeded; it could have held `room` tiles."""

    def batch_failed(self, device: str, tiles: int, seconds: float) -> None:
        """A batch failed."""

    def step_done(self, device: str, seconds: float) -> None:
        """A step of the work on one picture succeeded."""

    def picture_ended(self, how: End) -> None:
        """A picture that was in flight is done, failed, or was given up."""

    def not_finite(self, device: str) -> None:
        """A device computed NaN or infinity for a picture."""


class SilentObserver:
    """Ignores all measurements."""

    def queue_changed(self, tiles: int) -> None:
        """See Observer."""

    def flight_changed(self, pictures: int) -> None:
        """See Observer."""

    def batch_done(self, device: str, tiles: int, room: int, seconds: float) -> None:
        """See Observer."""

    def batch_failed(self, device: str, tiles: int, seconds: float) -> None:
        """See Observer."""

    def step_done(self, device: str, seconds: float) -> None:
        """See Observer."""

    def picture_ended(self, how: End) -> None:
        """See Observer."""

    def not_finite(self, device: str) -> None:
        """See Observer."""
