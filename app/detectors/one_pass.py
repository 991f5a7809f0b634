"""The contract of detectors that are fitted in one pass: they see each normal picture once."""

from abc import abstractmethod
from typing import Protocol

from app.detectors.base import Detector, Features
from app.progress import Progress


class Fitter(Protocol):
    """Learns the normal state from pictures, which are added one after the other, in bands from top to bottom."""

    def add(self, features: Features, top: int) -> None:
        """Adds a band of a stitched picture, [C,rows,W] each. `top` is its first row; 0 begins the next picture."""

    def finish(self, progress: Progress) -> None:
        """Fits the detector to all pictures that were added."""


class OnePassDetector(Detector):
    """A frozen network, and statistics of its features."""

    @abstractmethod
    def fitter(self, pictures: int, grid: tuple[int, int]) -> Fitter:
        """A fitter for this many pictures of `(rows, columns)` cells of the first feature."""

    @abstractmethod
    def fitting_memory(self, pictures: int, grid: tuple[int, int]) -> int:
        """The most bytes that fitting takes, without those of the network and of one batch of tiles."""

    @abstractmethod
    def activation_bytes(self, pixels: int) -> int:
        """The most bytes that the network's activations take for this number of input pixels."""

    def training_bytes(self, pictures: int, grid: tuple[int, int], pixels: int) -> int:
        return self.fitting_memory(pictures, grid) + self.activation_bytes(pixels)
