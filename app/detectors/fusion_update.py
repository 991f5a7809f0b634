"""Adds pictures to all members of a fusion."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from torch import Tensor

from app.detectors.base import Detector, Features
from app.detectors.one_pass import expected_folds
from app.detectors.update import Update
from app.progress import Progress

if TYPE_CHECKING:
    from app.detectors.fusion import Fusion


class FusionUpdate(Update):
    """Updates the members. Their scales stay those of the training, so that scores before and after are comparable."""

    def __init__(self, detector: "Fusion", pictures: int, updates: Mapping[str, Update]) -> None:
        self._fitted, self._expected, self._updates = detector, pictures, updates

    @property
    def detector(self) -> Detector:
        """See Update."""
        return self._fitted.with_members({name: update.detector for name, update in self._updates.items()})

    def add(self, features: Features, top: int, left: int = 0, counted: Tensor | None = None) -> None:
        """See Update."""
        for update in self._updates.values():
            update.add(features, top, left, counted)

    def finish(self, progress: Progress) -> None:
        """Updates the members, one after the other."""
        for update in self._updates.values():
            update.finish(progress)

    def folds(self, pictures: int) -> Sequence[range]:
        """Those of the expected number of pictures, for which Subspace keeps its moments."""
        return expected_folds(self._expected, pictures)

    def without(self, pictures: range) -> Detector:
        """See Fitter."""
        return self._fitted.with_members({name: update.without(pictures) for name, update in self._updates.items()})
