"""The contract of detectors that are fitted in one pass: they see each normal picture once."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from torch import Tensor

from app.detectors.base import Detector, Features
from app.errors import NotTeachable
from app.progress import Progress
from app.trials import Timer

if TYPE_CHECKING:
    from app.detectors.update import Update


@dataclass(frozen=True, slots=True)
class Forecast:
    """The estimated time of work that follows after pictures were added.

    finish_s: the seconds of each stage that `Fitter.finish` reports
    measure_s: the seconds in which the fitted detector measures a picture, without the network
    """

    finish_s: Mapping[str, float] = field(default_factory=dict)
    measure_s: float = 0.0


FOLDS = 10


@dataclass(frozen=True, slots=True)
class PatchSources:
    """Where the normal patches of a fitted detector come from.

    pictures: [n] int32, the number of each patch's picture, in the order in which pictures were added
    cells: [n,2] int32, the row and column of its cell of the first feature
    """

    pictures: Tensor
    cells: Tensor


class Fitter(Protocol):
    """Learns the normal state from pictures, which are added one after the other, in bands.

    The bands of a picture lie in strips from left to right, and in each strip from top to bottom.
    Pictures are numbered from 0 in the order in which they were added.
    """

    def add(self, features: Features, top: int, left: int = 0) -> None:
        """Adds a band of a stitched picture, [C,rows,w] each, with its first row and column.

        A band at (0, 0) begins the next picture.
        """

    def finish(self, progress: Progress) -> None:
        """Fits the detector to all pictures that were added."""

    def folds(self, pictures: int) -> Sequence[range]:
        """How the pictures that were added, `pictures` in all, are divided for a cross-conformal calibration.

        The folds are contiguous, because neighbouring pictures are often alike, and together hold every picture once.
        """

    @property
    def measures_others(self) -> bool:
        """Whether the detectors of `without` also measure other pictures than those of their fold."""
        return True

    def without(self, pictures: range) -> Detector:
        """A detector that measures the pictures of a fold as if it had not been fitted to them; call `finish` first.

        It shares the network of the fitted detector. Raises a subclass of TesseraError if too little is left.
        """

    def sources(self) -> PatchSources | None:
        """The sources of the detector's `normal_patches`, after `finish`; None: it has none."""
        return None

    def forecast(self, seconds: Timer) -> Forecast | None:
        """Estimates later work, in about a second. None: the pictures that were added do not yet show its time.

        `seconds` runs work and measures its time. Is called between two pictures. By default, no later work is known.
        """
        return Forecast()

    def state(self) -> dict[str, Tensor] | None:
        """The tensors from which `load_state` continues, not copied; None: at present the fitter cannot be continued.

        Is called between two pictures, and while `finish` reports its progress. By default, it never can be.
        """
        return None

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Continues from the tensors of another fitter of the same pictures. The result is the same, bit for bit."""
        raise TypeError(f"{type(self).__name__} has no state from which it continues")


def contiguous_folds(pictures: int, count: int = FOLDS) -> list[range]:
    """The numbers of the pictures in `count` folds, or one fold for each picture if there are fewer.

    The sizes of the folds differ by at most one picture.
    """
    count = min(count, pictures)
    ends = [pictures * number // count for number in range(1, count + 1)]
    return [range(start, end) for start, end in zip([0, *ends], ends, strict=False)]


def expected_folds(expected: int, pictures: int) -> list[range]:
    """The folds of `expected` pictures, of which only the first `pictures` were added."""
    folds = contiguous_folds(expected)
    return [range(fold.start, min(fold.stop, pictures)) for fold in folds if fold.start < pictures]


class OnePassDetector(Detector):
    """A frozen network, and statistics of its features."""

    @abstractmethod
    def fitter(self, pictures: int, grid: tuple[int, int]) -> Fitter:
        """A fitter for this many pictures of `(rows, columns)` cells of the first feature."""

    def update(self, pictures: int) -> "Update":
        """An update of the fitted detector by at most so many pictures. This detector does not change.

        Raises NotTeachable if the detector, or its fitted state, cannot be updated.
        """
        raise NotTeachable(f"{self.name} cannot learn from reviewed pictures; train it again, with the good ones")

    @abstractmethod
    def fitting_memory(self, pictures: int, grid: tuple[int, int]) -> int:
        """The most bytes that fitting takes, without those of the network and of one batch of tiles."""

    def training_bytes(self, pictures: int, grid: tuple[int, int], pixels: int) -> int:
        return self.fitting_memory(pictures, grid) + self.activation_bytes(pixels)
