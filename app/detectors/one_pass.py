"""What detectors do that are fitted in one pass: they see each normal picture once."""

from abc import abstractmethod
from typing import Protocol

from app.detectors.base import Detector, Features
from app.progress import Progress


class Fitter(Protocol):
    """Learns the normal state from pictures, one after the other, each from its top band to its last."""

    def add(self, features: Features, top: int) -> None:
        """Takes rows `top` and following of a stitched picture, [C,rows,W] each; row 0 begins the next picture."""

    def finish(self, progress: Progress) -> None:
        """Fits the detector to all that was added."""


class OnePassDetector(Detector):
    """A frozen network, and statistics of its features."""

    @abstractmethod
    def fitter(self, pictures: int, grid: tuple[int, int]) -> Fitter:
        """A fitter for this many pictures of `(rows, columns)` cells of the first feature."""

    @abstractmethod
    def fitting_memory(self, pictures: int, grid: tuple[int, int]) -> int:
        """How many bytes fitting holds at most, apart from the network and one batch of tiles."""

    @abstractmethod
    def activation_bytes(self, pixels: int) -> int:
        """The most bytes that the network's values take for so many pixels."""

    def training_bytes(self, pictures: int, grid: tuple[int, int], pixels: int) -> int:
        return self.fitting_memory(pictures, grid) + self.activation_bytes(pixels)
