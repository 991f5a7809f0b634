"""Fits a detector that also measures thumbnails."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from app.detectors.base import Features
from app.detectors.layout import LayoutFitter
from app.detectors.one_pass import Fitter, Forecast, PatchSources, contiguous_folds, expected_folds
from app.detectors.patch_sample import PatchSample
from app.detectors.scales import scale_of
from app.detectors.state import with_prefix
from app.progress import Progress
from app.trials import Timer

if TYPE_CHECKING:
    from app.detectors.thumbnail import WithThumbnail

TILES, LAYOUT, SAMPLE, WHOLE = "tiles.", "layout.", "sample.", "whole."
"""The prefixes of the names of a fitter's tensors."""


class ThumbnailFitter(Fitter):
    """Fits the tiles' detector and the layout of thumbnails to the same pictures, and measures their scales."""

    def __init__(self, detector: "WithThumbnail", pictures: int, grid: tuple[int, int]) -> None:
        self._detector, self._expected = detector, pictures
        channels, device = detector.tiles.embedding_size, detector.scales.device
        self._tiles = detector.tiles.fitter(pictures, grid)
        self._layout = LayoutFitter(channels, pictures, device)
        self._sample = PatchSample(channels, pictures * grid[0] * grid[1], device)
        self._whole = PatchSample(channels + 1, pictures * detector.most_cells, device)  # and the number of the place
        self._measuring = False

    def add(self, features: Features, top: int, left: int = 0) -> None:
        self._tiles.add(features, top, left)
        self._sample.add(features[0], top, left)

    def add_thumbnail(self, features: Features) -> None:
        """Adds the thumbnail's cells, [1,C,h,w], of the picture whose last band was added."""
        ((embedding,),) = features
        self._layout.add(embedding)
        height, width = embedding.shape[1:]
        own = self._layout.places(height, width).view(1, height, width)
        self._whole.add(torch.cat([embedding.float(), own.float()]), 0)

    def finish(self, progress: Progress) -> None:
        """Fits both parts, then measures their scales."""
        layout = self._layout.fit()  # first, because it may refuse
        self._tiles.finish(progress)
        self._measuring = True
        self._detector.layout = layout
        found: tuple[list[Tensor], list[Tensor]] = [], []
        folds = self.folds(self._sample.pictures)
        for number, fold in enumerate(folds, start=1):
            for distances, each in zip(found, self._distances(fold), strict=True):
                distances.append(each)
            progress("scales", number, len(folds))
        self._detector.scales = torch.stack([scale_of(torch.cat(distances)) for distances in found])
        self._sample.clear()
        self._whole.clear()

    def _distances(self, fold: range) -> tuple[Tensor, Tensor]:
        """The distances of sampled patches of tiles and of thumbnails, by a detector without the fold."""
        without = self.without(fold)
        patches, whole = self._sample.of(fold), self._whole.of(fold)
        by_tiles = patches.new_empty(0)
        if len(patches):  # none of pictures that are far smaller than others
            by_tiles = without.tiles.measure((patches.T[None, :, :, None],), [(0, 0)]).distances[0].flatten()
        return by_tiles, without.layout.distances(whole[:, :-1], whole[:, -1].long())

    def folds(self, pictures: int) -> Sequence[range]:
        """Those of the expected number of pictures, for which both parts keep their sums."""
        return expected_folds(self._expected, pictures)

    def without(self, pictures: range) -> "WithThumbnail":
        """See Fitter. The scales stay the same."""
        return self._detector.with_parts(self._tiles.without(pictures), self._layout.fit(pictures))

    def sources(self) -> PatchSources | None:
        """See Fitter; those of the tiles' detector."""
        return self._tiles.sources()

    def forecast(self, seconds: Timer) -> Forecast | None:
        """See Fitter; the tiles' forecast, and the time to measure the samples."""
        forecast = self._tiles.forecast(seconds)
        if forecast is None:
            return None
        product = self._layout.product
        layouts_s = len(contiguous_folds(self._expected)) * seconds(lambda: torch.linalg.eigh(product))
        scales_s = forecast.measure_s * self._sample.in_pictures + layouts_s
        return Forecast(dict(forecast.finish_s) | {"scales": scales_s}, forecast.measure_s)

    def state(self) -> dict[str, Tensor] | None:
        """See Fitter; None while the scales are measured."""
        tiles = None if self._measuring else self._tiles.state()
        if tiles is None:
            return None
        parts = {TILES: tiles, LAYOUT: self._layout.state(), SAMPLE: self._sample.state(), WHOLE: self._whole.state()}
        return {prefix + key: tensor for prefix, part in parts.items() for key, tensor in part.items()}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        for prefix, part in (
            (TILES, self._tiles),
            (LAYOUT, self._layout),
            (SAMPLE, self._sample),
            (WHOLE, self._whole),
        ):
            part.load_state(with_prefix(state, prefix))
