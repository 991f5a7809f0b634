"""What every detector does.

With tiles of 256 x 256 pixels and a ResNet-18:

    network(tiles [n,3,256,256]) -> outputs ([n,64,64,64], ...)         per batch of tiles of any pictures
    assemble(outputs)           -> features, here ([n,100,64,64],)      likewise; `embed` is both
    measure(features, places)   -> Measurement(distances ([n,64,64],))  distances to what is normal, 0 or more
    ... stitched, all layers    -> anomaly map [height,width]           by the detector's `map_rule`
    image_score(map, score_inputs) -> one number, higher when more anomalous

Where tiles overlap, features are stitched before they are measured: [1,100,rows,W], band by band. Features may be
channels-last in memory, and of half precision; distances are float32.

A detector is fitted in one pass (`one_pass.py`) or by gradient descent (`gradient.py`), and restored from its tensors.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from app.detectors.search import SearchChoice, SearchMode
from app.scoring import MapRule
from app.trials import Timer

Features = tuple[Tensor, ...]
Place = tuple[int, int]
"""Where a part of a picture begins: `(top, left)` in pixels."""

STEP_CELLS = {"cpu": 2**13, "cuda": 2**17}
"""A few milliseconds' work for most detectors, by the kind of device."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """What parts of a picture look like to a detector."""

    distances: Features  # one [n,h,w] float32 for each of the map's layers
    score_input: Features = ()  # what the image score needs to know of the parts besides their map


class Detector(nn.Module, ABC):
    """A network and its fitted state: all that the rest of the program asks of a detector.

    A new one is a subclass in a module of its own, and an entry in `DETECTORS`; `tests/detectors/test_detectors.py`
    holds what each must fulfil. Its constructor's arguments are the options of `tessera train`.
    """

    name: ClassVar[str]
    """Its name in manifests and in `DETECTORS`."""
    map_rule: MapRule
    """How distances of cells become the anomaly map."""
    less_memory: ClassVar[str] = ""
    """The options, in words, that let its training take less memory."""

    @property
    def weights_name(self) -> str | None:
        """What `load_weights` loads: a file, or the name of weights; None: the network has no weights to load."""
        return None

    def load_weights(self) -> str:
        """Loads the weights that the network begins a training with, and returns where they came from.

        A fitted detector brings its own. Raises InvalidWeights.
        """
        return self.weights_name or "none"

    @property
    def description(self) -> str:
        """What the network is, for people."""
        return self.name

    @property
    def doubts(self) -> tuple[str, ...]:
        """Sentences on what makes it likely that a training finds little; for people."""
        return ()

    @property
    @abstractmethod
    def parameters_of_model(self) -> dict[str, object]:
        """The constructor's arguments that make a detector of the same shape."""

    @property
    @abstractmethod
    def feature_strides(self) -> tuple[int, ...]:
        """The stride in pixels of each of the features that `embed` returns."""

    @property
    def map_strides(self) -> tuple[int, ...]:
        """The stride in pixels of each of the distances that `measure` returns; by default that of the features."""
        return self.feature_strides

    @property
    def needs_whole_rows(self) -> bool:
        """Whether parts must be as wide as the picture, even where tiles could be measured one by one."""
        return False

    def step_cells(self, device: torch.device) -> int:
        """How many cells of the first feature are measured at once: the device does nothing else meanwhile."""
        return STEP_CELLS[device.type]

    @property
    @abstractmethod
    def stride(self) -> int:
        """The stride in pixels on whose grid tiles must lie: a multiple of all feature strides."""

    @property
    def tile_multiple(self) -> int:
        """What the edges of tiles, as the network sees them, must be multiples of."""
        return self.stride

    @property
    def image_size_is_fixed(self) -> bool:
        """Whether pictures must have the size of those that the detector was fitted to."""
        return False

    @abstractmethod
    def training_bytes(self, pictures: int, grid: tuple[int, int], pixels: int) -> int:
        """An upper bound of the bytes that a training holds.

        `grid` is the `(rows, columns)` of cells of the first feature in the largest picture, and `pixels` how many
        pixels the tiles of one batch have together.
        """

    @abstractmethod
    def network(self, tiles: Tensor) -> Features:
        """Normalised tiles [n,3,h,w] -> what convolutions make of them, [n,C,h',w'] each.

        Only modules, and operations that do not depend on values or sizes, so that a runtime can trace it.
        """

    @abstractmethod
    def assemble(self, outputs: Features) -> Features:
        """The network's outputs -> features to be stitched, [n,C,h/stride,w/stride] each."""

    def embed(self, tiles: Tensor) -> Features:
        """Normalised tiles [n,3,h,w] -> features to be stitched, [n,C,h/stride,w/stride] each."""
        return self.assemble(self.network(tiles))

    @abstractmethod
    def measure(self, features: Features, places: Sequence[Place], counted: Tensor | None = None) -> Measurement:
        """Distances of n parts of a picture, [n,C,h,w] each, to the normal state; `places` are where they begin.

        `counted`, [n,h,w] bool, are the cells of the first feature that a score_input may tell of; None: all.
        A place is a multiple of the deepest layer's stride, but for that of a picture's only part, (0, 0).
        """

    def image_score(self, anomaly_map: Tensor, score_inputs: Sequence[Features]) -> Tensor:
        """The picture's score, a scalar, of its map [H,W] and its parts' score inputs: the map's largest value."""
        return anomaly_map.amax()

    @property
    def search(self) -> SearchChoice | None:
        """How the fitted state is searched; None if it is not."""
        return None

    def choose_search(self, mode: SearchMode, seconds: Timer | None = None) -> None:
        """Chooses how the fitted state is searched on its device: by the time that each way takes, if that is measured.

        `seconds` runs work as it is run later, in several threads perhaps, and measures it; None: nothing is measured.
        """

    def typical_features(self, features: Features) -> Features:
        """Features of the same shapes for which `measure` takes as long as for those of a normal picture."""
        return features

    def load_fitted_state(self, state: Mapping[str, Tensor]) -> None:
        """Takes over the tensors of a `state_dict`, without copying; raises RuntimeError if the names differ."""
        for name, buffer in self.named_buffers(recurse=False):
            if name in state and state[name].shape != buffer.shape:
                setattr(self, name, torch.empty_like(state[name], device="meta"))
        self.load_state_dict(dict(state), assign=True)
        self.eval()
