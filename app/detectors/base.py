"""The contract of all detectors.

Example shapes, with tiles of 256 x 256 pixels and a ResNet-18:

    network(tiles [n,3,256,256]) -> outputs ([n,64,64,64], ...)         per batch of tiles of one or several pictures
    assemble(outputs)           -> features, here ([n,100,64,64],)      per batch; `embed` is `network` and `assemble`
    measure(features, places)   -> Measurement(distances ([n,64,64],))  distances to the normal state, 0 or more
    ... stitched, all layers    -> anomaly map [height,width]           by the detector's `map_rule`
    score_of(map_score, score_inputs) -> one number, higher when more anomalous

Where tiles overlap, features are stitched before they are measured: [1,100,rows,W], band by band. Features may be
channels-last in memory, and of half precision; distances are float32.

A detector is fitted in one pass (`one_pass.py`) or by gradient descent (`gradient.py`), and restored from its tensors.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from typing import ClassVar, Self

import torch
from torch import Tensor, nn

from app.backbones import IMAGENET, Normalisation
from app.detectors.search import SearchChoice, SearchMode
from app.scoring import Largest, MapRule, MapScore
from app.trials import Timer

Features = tuple[Tensor, ...]
Place = tuple[int, int]
"""The position `(top, left)` of a part of a picture, in pixels."""

STEP_CELLS = {"cpu": 2**13, "cuda": 2**17}
"""The default of `Detector.step_cells` by device type: a few milliseconds of work for most detectors."""
MOST_CHANNELS = 2048
"""The default of `Detector.feature_channels`: those of the deepest layer of wide_resnet50_2."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """The result of `Detector.measure` for n parts of a picture."""

    distances: Features  # one [n,h,w] float32 for each layer of the map
    score_input: Features = ()  # the inputs of `Detector.score_of` besides the map


class Detector(nn.Module, ABC):
    """A network and its fitted state.

    A new detector needs a subclass in its own module and an entry in `DETECTORS`. The tests of the contract, in
    `tests/detectors/test_detectors.py`, then run for it as well. The constructor's arguments are the options of
    `tessera train`.
    """

    name: ClassVar[str]
    """The detector's name in manifests and in `DETECTORS`."""
    map_rule: MapRule
    """How distances of cells become the anomaly map."""
    memory_advice: ClassVar[str] = ""
    """A phrase for error messages: the options with which a training takes less memory."""

    @property
    def weights_name(self) -> str | None:
        """The file or the name of the weights that `load_weights` loads; None if it loads none."""
        return None

    def load_weights(self) -> str:
        """Loads the initial weights for a training, and returns their source. Raises InvalidWeights.

        Not needed for a fitted detector, whose state contains the weights.
        """
        return self.weights_name or "none"

    @property
    def description(self) -> str:
        """A description of the network for users."""
        return self.name

    @property
    def training_warnings(self) -> tuple[str, ...]:
        """Warnings for users: the reasons why the trained model will probably find few anomalies."""
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
    def feature_channels(self) -> tuple[int, ...]:
        """The channels of each of the features that `embed` returns, or more."""
        return (MOST_CHANNELS,) * len(self.feature_strides)

    @abstractmethod
    def activation_bytes(self, pixels: int) -> int:
        """The most bytes that the network's activations take for this number of input pixels."""

    @property
    def map_strides(self) -> tuple[int, ...]:
        """The stride in pixels of each of the distances that `measure` returns; by default those of the features."""
        return self.feature_strides

    @property
    def needs_whole_rows(self) -> bool:
        """Whether parts must be as wide as a strip of the picture, even where tiles could be measured one by one."""
        return False

    def step_cells(self, device: torch.device) -> int:
        """The largest number of cells of the first feature in one call of `measure`, which occupies the device."""
        return STEP_CELLS[device.type]

    @property
    def normalisation(self) -> Normalisation:
        """How the network expects pictures to be normalised."""
        return IMAGENET

    @property
    @abstractmethod
    def stride(self) -> int:
        """The pitch in pixels of the grid on which tiles must lie: a multiple of all feature strides."""

    @property
    def tile_multiple(self) -> int:
        """Height and width of the network's input must be multiples of this number of pixels."""
        return self.stride

    @property
    def image_size_is_fixed(self) -> bool:
        """Whether all pictures must have the size of the training pictures."""
        return False

    @abstractmethod
    def training_bytes(self, pictures: int, grid: tuple[int, int], pixels: int) -> int:
        """An upper bound of the memory that a training takes, in bytes.

        pictures: the number of training pictures
        grid: `(rows, columns)` of cells of the first feature in the largest picture
        pixels: the total number of pixels in one batch of tiles
        """

    @abstractmethod
    def network(self, tiles: Tensor) -> Features:
        """Normalised tiles [n,3,h,w] -> outputs of convolutional layers, [n,C,h',w'] each.

        Uses only modules, and operations that do not depend on values or sizes, so that a runtime can trace it.
        """

    @abstractmethod
    def assemble(self, outputs: Features) -> Features:
        """The network's outputs -> features to be stitched, [n,C,ceil(h/stride),ceil(w/stride)] each.

        Tiles are whole numbers of cells; an untiled picture may not be.
        """

    def embed(self, tiles: Tensor) -> Features:
        """Normalised tiles [n,3,h,w] -> features to be stitched: `assemble` of `network`."""
        return self.assemble(self.network(tiles))

    @abstractmethod
    def measure(self, features: Features, places: Sequence[Place], counted: Tensor | None = None) -> Measurement:
        """The distances of n parts of a picture to the normal state.

        features: [n,C,h,w] each
        places: the positions of the parts; multiples of the deepest layer's stride
        counted: [n,h,w] bool or float32, by which the distances of the first feature's cells are multiplied in
            `score_input`; 0 or False: the cell does not count; None: all cells count as they are
        """

    def map_score(self, values: int) -> MapScore | None:
        """What makes a score of all `values` values of a picture's map; None: the score is not made of the map.

        By default, the largest value.
        """
        return Largest()

    def score_of(self, map_score: MapScore | None, score_inputs: Sequence[Features]) -> Tensor:
        """The picture's score, a scalar, from `map_score`, which has taken the map, and its parts' score inputs.

        Of inputs that are not empty, the first whose first tensor, a distance [1], is the largest decides.
        """
        assert map_score is not None
        return map_score.value()

    def image_score(self, anomaly_map: Tensor, score_inputs: Sequence[Features]) -> Tensor:
        """The picture's score, a scalar, from its whole map [H,W] and the score inputs of its parts."""
        map_score = self.map_score(anomaly_map.numel())
        if map_score is not None:
            map_score.add(anomaly_map)
        return self.score_of(map_score, score_inputs)

    @property
    def search(self) -> SearchChoice | None:
        """How `measure` searches the fitted state; None if it does not search."""
        return None

    def choose_search(self, mode: SearchMode, seconds: Timer | None = None) -> None:
        """Chooses how the fitted state is searched on its device.

        With `seconds`, the fastest way is chosen by measurement. `seconds` measures work under the conditions of later
        predictions, for example in several threads. None: nothing is measured.
        """

    def typical_features(self, features: Features) -> Features:
        """Features of the same shapes, for which `measure` takes as long as for features of a normal picture."""
        return features

    @property
    def normal_patches(self) -> Tensor | None:
        """Normal patches [n,C] that the fitted state holds, as `patches_at` returns them; None: it holds none.

        Evidence for a region are the normal patches that are nearest to the patch at its peak, by the Euclidean
        distance. For a detector that holds none, a training keeps a sample of `patches_at` of normal pictures.
        """
        return None

    def patches_at(self, features: Features, cells: Tensor) -> Tensor:
        """The patches [n,C] float32 at these cells, by which evidence compares pictures.

        By default, the features of all layers at the cell's place.

        features: [C,h,w] each, of a part of a picture that begins with a whole cell of every layer
        cells: [n,2] int64, the rows and columns of cells of the first feature, on its device
        """
        first, found = self.feature_strides[0], []
        for feature, stride in zip(features, self.feature_strides, strict=True):
            rows, columns = (cells * first // stride).unbind(1)
            found.append(feature[:, rows, columns].T.float())
        return torch.cat(found, 1)

    def twin(self) -> Self:
        """A detector with the same modules. Its own tensors may be replaced without a change of this detector."""
        twin = copy(self)
        twin._buffers = self._buffers.copy()  # `copy` shares the dictionary
        return twin

    def load_fitted_state(self, state: Mapping[str, Tensor]) -> None:
        """Takes over the tensors of a `state_dict`, without copying; raises RuntimeError if the names differ."""
        for name, buffer in self.named_buffers(recurse=False):
            if name in state and state[name].shape != buffer.shape:
                setattr(self, name, torch.empty_like(state[name], device="meta"))
        self.load_state_dict(dict(state), assign=True)
        self.eval()
