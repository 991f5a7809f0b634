"""What every detector does.

With tiles of 256 x 256 pixels and a ResNet-18:

    embed(tiles [n,3,256,256])  -> features, here ([n,100,64,64],)      per batch of tiles of any pictures
    ... stitched: rows of       -> ([100,rows,W],)                      per picture, band by band
    measure(rows, top)          -> Measurement(distances ([rows,W],))   distances to what is normal, 0 or more
    ... all bands               -> anomaly map [height,width]           by the detector's `map_rule`
    image_score(map, witnesses) -> one number, higher when more anomalous

A detector is fitted by a `Fitter`, which receives the same stitched rows, and is restored from `fitted_state`.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

import torch
from torch import Tensor, nn

from app.backbones import ResNet
from app.scoring import MapRule

Features = tuple[Tensor, ...]
Progress = Callable[[str, int, int], None]
"""Told what is being done, how much of it is done, and how much there is."""


def silent(stage: str, done: int, total: int) -> None:
    """The progress of work that nobody watches."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """What a band of a picture looks like to a detector."""

    distances: Features  # one [rows,W] for each of the features
    witness: Features = ()  # what the image score needs to know of the band besides its map


class Fitter(Protocol):
    """Learns the normal state from pictures, one after the other, each from its top band to its last."""

    def add(self, features: Features, top: int) -> None:
        """Takes rows `top` and following of a stitched picture, [C,rows,W] each; row 0 begins the next picture."""

    def finish(self, progress: Progress) -> None:
        """Fits the detector to all that was added."""


class Detector(nn.Module, ABC):
    """A network and its fitted state."""

    name: ClassVar[str]
    map_rule: MapRule

    def __init__(self, backbone: str, layers: Sequence[str], backbone_weights: str | None) -> None:
        super().__init__()
        self.backbone = ResNet(backbone, layers).requires_grad_(False).eval()
        self.backbone_weights = backbone_weights  # loaded for training only: a fitted detector brings its own

    @property
    @abstractmethod
    def parameters_of_model(self) -> dict[str, object]:
        """The constructor's arguments that make a detector of the same shape."""

    @property
    @abstractmethod
    def feature_strides(self) -> tuple[int, ...]:
        """The stride in pixels of each of the features that `embed` returns."""

    @property
    def stride(self) -> int:
        """The stride of the deepest layer: tiles must lie on its grid."""
        return self.backbone.stride

    @property
    def tile_multiple(self) -> int:
        """What the edges of tiles, as the network sees them, must be multiples of."""
        return self.stride

    @property
    def image_size_is_fixed(self) -> bool:
        """Whether pictures must have the size of those that the detector was fitted to."""
        return False

    @abstractmethod
    def embed(self, tiles: Tensor) -> Features:
        """Normalised tiles [n,3,h,w] -> features to be stitched, [n,C,h/stride,w/stride] each."""

    @abstractmethod
    def measure(self, features: Features, top: int) -> Measurement:
        """Distances of rows `top` and following of a stitched picture, [C,rows,W] each, to the normal state."""

    def image_score(self, anomaly_map: Tensor, witnesses: Sequence[Features]) -> Tensor:
        """The picture's score, a scalar, of its map [H,W] and the witnesses of its bands: the map's largest value."""
        return anomaly_map.amax()

    @abstractmethod
    def fitter(self, pictures: int, grid: tuple[int, int]) -> Fitter:
        """A fitter for this many pictures of `(rows, columns)` cells of the first feature."""

    @abstractmethod
    def fitting_memory(self, pictures: int, grid: tuple[int, int]) -> int:
        """How many bytes fitting holds at most, apart from the network and one batch of tiles."""

    def load_fitted_state(self, state: Mapping[str, Tensor]) -> None:
        """Takes over the tensors of a `state_dict`, without copying; raises RuntimeError if the names differ."""
        for name, buffer in self.named_buffers(recurse=False):
            if name in state and state[name].shape != buffer.shape:
                setattr(self, name, torch.empty_like(state[name], device="meta"))
        self.load_state_dict(dict(state), assign=True)
        self.eval()

    def train(self, mode: bool = True) -> "Detector":
        """Keeps the frozen backbone in evaluation mode, so that its batch norm statistics never move."""
        super().train(mode)
        self.backbone.eval()
        return self
