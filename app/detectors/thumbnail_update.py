"""Adds pictures to a detector that also measures thumbnails: to the tiles' detector, and to the layout."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from torch import Tensor

from app.detectors.base import Detector, Features
from app.detectors.layout import LayoutUpdate
from app.detectors.one_pass import PatchSources, expected_folds
from app.detectors.update import Update
from app.progress import Progress

if TYPE_CHECKING:
    from app.detectors.thumbnail import WithThumbnail


class ThumbnailUpdate(Update):
    """Updates both parts. Their scales stay those of the training, so that scores before and after are comparable."""

    def __init__(self, detector: "WithThumbnail", tiles: Update, pictures: int) -> None:
        self._fitted, self._tiles, self._expected = detector, tiles, pictures
        self._layout = LayoutUpdate(detector.layout, pictures)
        self._learned = detector.layout

    @property
    def detector(self) -> Detector:
        """See Update."""
        return self._fitted.with_parts(self._tiles.detector, self._learned)

    def add(self, features: Features, top: int, left: int = 0, counted: Tensor | None = None) -> None:
        """See Update; of the tiles."""
        self._tiles.add(features, top, left, counted)

    def add_thumbnail(self, features: Features, counted: Tensor | None = None) -> None:
        """Adds the thumbnail's cells, [1,C,h,w], of the picture whose last band was added.

        `counted` [h,w] bool says which of them are learned; None: all.
        """
        ((embedding,),) = features
        self._layout.add(embedding, counted)

    def finish(self, progress: Progress) -> None:
        """Updates both parts."""
        self._tiles.finish(progress)
        self._learned = self._layout.fit()

    def folds(self, pictures: int) -> Sequence[range]:
        """Those of the expected number of pictures, for which both parts keep their sums."""
        return expected_folds(self._expected, pictures)

    def without(self, pictures: range) -> Detector:
        """See Fitter. The scales stay the same."""
        return self._fitted.with_parts(self._tiles.without(pictures), self._layout.fit(pictures))

    def sources(self) -> PatchSources | None:
        """See Update; those of the tiles' detector."""
        return self._tiles.sources()
