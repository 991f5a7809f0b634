"""The thumbnail branch: one more tile, which shows the whole picture made smaller, measured by a detector of its own.

Tiles show what is small. The thumbnail shows what is larger than a tile and its context, and what is wrong only in
relation to the rest: missing parts, or parts at a wrong place. The maps of both are combined as in EfficientAD (Batzner
et al. 2024, arXiv:2303.14535): each is divided by a scale that normal pictures set, then the mean is taken. As in
`fusion.py`, the scale is the distance that 1 in 1000 cells of normal pictures exceeds, measured by detectors that were
not fitted to these pictures. Scores of the combined map are calibrated like those of any detector.
"""

from collections.abc import Mapping, Sequence
from math import ceil
from typing import TypeVar

import torch
from torch import Tensor

from app.backbones import Normalisation
from app.detectors.base import Detector, Features, Measurement, Place
from app.detectors.layout import Layout, LayoutFitter
from app.detectors.one_pass import OnePassDetector
from app.detectors.patch_embedding import PatchDetector, ranked
from app.detectors.patch_sample import PatchSample
from app.detectors.search import SearchChoice, SearchMode
from app.detectors.second_stage import SecondStage
from app.detectors.state import with_prefix
from app.detectors.thumbnail_fitter import LAYOUT, TILES, ThumbnailFitter
from app.detectors.thumbnail_update import ThumbnailUpdate
from app.detectors.update import Update
from app.errors import InvalidTiling
from app.scoring import MapScore
from app.tiling import Size, Tiling
from app.trials import Timer

D = TypeVar("D", bound=Detector)


def with_thumbnail(detector: D, tiling: Tiling) -> "D | WithThumbnail":
    """The detector, made to measure thumbnails if the tiling has them; raises InvalidTiling if the detector cannot."""
    if not tiling.thumbnail or isinstance(detector, WithThumbnail):
        return detector
    if not isinstance(detector, PatchDetector):
        raise InvalidTiling(
            f"tiling.thumbnail is true, and {detector.name} cannot measure thumbnails; use Subspace, Patchcore or "
            "Fusion, or leave out tiling.thumbnail"
        )
    height, width = (edge + 2 * tiling.halo for edge in tiling.tile_size)
    return WithThumbnail(detector, (height, width))


class WithThumbnail(OnePassDetector):
    """Measures tiles by one detector, and the thumbnail's cells by their places; both have the same features.

    tiles: the detector of the tiles
    input_size: `(height, width)` of a tile with its halo, and so of the thumbnail

    For messages and manifests it has the name and the parameters of the tiles' detector.
    """

    scales: Tensor  # [2], of the tiles' detector and of the thumbnail's

    def __init__(self, tiles: PatchDetector, input_size: Size) -> None:
        super().__init__()
        self.tiles, self.layout = tiles, Layout(tiles.embedding_size)
        self.register_buffer("scales", torch.ones(2))
        self._input_size = input_size
        vars(self).update(name=tiles.name, map_rule=tiles.map_rule, memory_advice=tiles.memory_advice)

    @property
    def weights_name(self) -> str:
        """See Detector; that of the tiles' detector, like all that concerns the network."""
        return self.tiles.weights_name

    def load_weights(self) -> str:
        return self.tiles.load_weights()

    @property
    def description(self) -> str:
        return f"{self.tiles.description}; with a thumbnail of the picture"

    @property
    def training_warnings(self) -> tuple[str, ...]:
        return self.tiles.training_warnings

    @property
    def parameters_of_model(self) -> dict[str, object]:
        return self.tiles.parameters_of_model

    @property
    def feature_strides(self) -> tuple[int, ...]:
        return self.tiles.feature_strides

    @property
    def feature_channels(self) -> tuple[int, ...]:
        return self.tiles.feature_channels

    @property
    def normalisation(self) -> Normalisation:
        return self.tiles.normalisation

    @property
    def stride(self) -> int:
        return self.tiles.stride

    @property
    def tile_multiple(self) -> int:
        return self.tiles.tile_multiple

    def activation_bytes(self, pixels: int) -> int:
        return self.tiles.activation_bytes(pixels)

    def step_cells(self, device: torch.device) -> int:
        return self.tiles.step_cells(device)

    def network(self, tiles: Tensor) -> Features:
        return self.tiles.network(tiles)

    def assemble(self, outputs: Features) -> Features:
        return self.tiles.assemble(outputs)

    @property
    def search(self) -> SearchChoice | None:
        return self.tiles.search

    def choose_search(self, mode: SearchMode, seconds: Timer | None = None) -> None:
        self.tiles.choose_search(mode, seconds)

    def typical_features(self, features: Features) -> Features:
        return self.tiles.typical_features(features)

    @property
    def normal_patches(self) -> Tensor | None:
        return self.tiles.normal_patches

    def patches_at(self, features: Features, cells: Tensor) -> Tensor:
        return self.tiles.patches_at(features, cells)

    def measure(self, features: Features, places: Sequence[Place], counted: Tensor | None = None) -> Measurement:
        """The distances of parts of the tiles: those of their detector on the common scale, halved."""
        found = self.tiles.measure(features, places, counted)
        return Measurement((found.distances[0] / self._divisor(0),), _not_negative(found.score_input, counted))

    def measure_thumbnail(self, features: Features, counted: Tensor | None = None) -> Measurement:
        """The distances [1,h,w] of the thumbnail's cells [1,C,h,w] on the common scale, halved.

        The map of the picture is the sum of this map and of the tiles' map. `score_input` is the largest
        distance [1]; see `measure` for `counted` [1,h,w].
        """
        distances = self.layout(features[0]) / self._divisor(1)
        return Measurement((distances,), _not_negative((ranked(distances, counted).amax().view(1),), counted))

    def _divisor(self, branch: int) -> Tensor:
        return 2 * self.scales[branch]

    def map_score(self, values: int) -> MapScore | None:
        """See Detector."""
        return self.tiles.map_score(values)

    def score_of(self, map_score: MapScore | None, score_inputs: Sequence[Features]) -> Tensor:
        """See Detector. The thumbnail's score input is the last."""
        return self.patch_score(score_inputs) if map_score is None else map_score.value()

    def patch_score(self, score_inputs: Sequence[Features]) -> Tensor:
        """The score by the rule `patch`: the mean of the scores of tiles and thumbnail on the common scale."""
        *parts, (largest,) = score_inputs
        return self.tiles.patch_score(parts) / self._divisor(0) + largest[0]

    def load_fitted_state(self, state: Mapping[str, Tensor]) -> None:
        self.tiles.load_fitted_state(with_prefix(state, TILES))
        means = state[f"{LAYOUT}means"]
        self.layout.means = torch.empty_like(means, device="meta")  # of its size
        self.layout.counts = torch.empty(means.shape[:2], dtype=torch.int64, device="meta")
        super().load_fitted_state(state)

    def with_second_stage(self, second_stage: SecondStage | None) -> "WithThumbnail":
        """See PatchDetector; the tiles' detector gets it. The thumbnail's distances stay."""
        return self.with_parts(self.tiles.with_second_stage(second_stage), self.layout)

    def with_parts(self, tiles: Detector, layout: Layout) -> "WithThumbnail":
        """The same detector with these parts. The network and the scales are shared."""
        twin = self.twin()
        twin._modules = self._modules | {"tiles": tiles, "layout": layout}
        return twin

    def fitter(self, pictures: int, grid: tuple[int, int]) -> "ThumbnailFitter":
        """A fitter of both parts, which then measures their scales."""
        return ThumbnailFitter(self, pictures, grid)

    def update(self, pictures: int) -> Update:
        """An update of both parts; their scales stay. Raises NotTeachable, see OnePassDetector."""
        return ThumbnailUpdate(self, self.tiles.update(pictures), pictures)

    @property
    def most_cells(self) -> int:
        """The largest number of cells of a thumbnail."""
        height, width = (ceil(edge / self.feature_strides[0]) for edge in self._input_size)
        return height * width

    def fitting_memory(self, pictures: int, grid: tuple[int, int]) -> int:
        """The memory of both parts, and the samples of their patches."""
        channels = self.tiles.embedding_size
        samples = PatchSample.bytes(channels) + PatchSample.bytes(channels + 1)
        return self.tiles.fitting_memory(pictures, grid) + LayoutFitter.bytes(channels, self.most_cells) + samples


def _not_negative(score_input: Features, counted: Tensor | None) -> Features:
    """A score input whose largest distance is 0 if no cell counts, so that the sum with another one is not less."""
    if counted is None or counted.dtype == torch.bool or not score_input:  # only zones can leave no cell of a picture
        return score_input
    largest, *described = score_input
    return (largest.clamp(min=0), *described)
