"""The contract of all backbones."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from app.errors import InvalidWeights


@dataclass(frozen=True, slots=True)
class Normalisation:
    """The mean and standard deviation, of values in [0, 1], by which a network's weights expect pictures normalised."""

    mean: tuple[float, float, float]
    std: tuple[float, float, float]


IMAGENET = Normalisation((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
"""The normalisation of torchvision, anomalib, and most of timm's weights."""


class Backbone(nn.Module, ABC):
    """A network that computes features of a picture, and ends at the deepest layer that is requested.

    Weights are random until they are loaded.
    """

    architecture: str
    """The name by which `build_backbone` makes such a network."""
    layers: tuple[str, ...]
    """The layers whose features are computed, in this order."""
    channels: Mapping[str, int]
    """The number of channels of each of `layers`; may name more layers."""
    strides: Mapping[str, int]
    """The stride in pixels of each of `layers`; may name more layers."""
    normalisation: Normalisation = IMAGENET
    """How the weights expect pictures to be normalised."""
    values_per_pixel: int
    """An upper bound of the values per pixel of the input that the network holds at a time."""
    neighbourhood: int = 3
    """The edge, in cells, of the square of features whose mean describes a patch."""

    @property
    def feature_strides(self) -> tuple[int, ...]:
        """The stride of each of `layers`, in their order."""
        return tuple(self.strides[layer] for layer in self.layers)

    @property
    def stride(self) -> int:
        """The largest stride of the layers."""
        return max(self.feature_strides)

    @property
    def tile_multiple(self) -> int:
        """Height and width of tiles must be multiples of this number of pixels."""
        return self.stride

    @property
    def weighted(self) -> nn.Module:
        """The module whose tensors have the names that files of weights use."""
        return self

    @abstractmethod
    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """Normalised [n,3,h,w] -> for each of `layers`, in order: [n,channels,ceil(h/stride),ceil(w/stride)]."""

    @abstractmethod
    def draw_weights(self) -> None:
        """Draws random weights that preserve the scale of the features from layer to layer."""


def chosen_layers(strides: Mapping[str, int], layers: Sequence[str] | None, default: Sequence[int]) -> tuple[str, ...]:
    """The requested layers; None: the deepest layer of each of the strides `default`, in pixels.

    `strides` has the stride of each layer, from the first to the deepest. Raises InvalidWeights for unknown layers.
    """
    if layers is None:
        deepest = {stride: layer for layer, stride in strides.items()}
        if not set(default) <= deepest.keys():
            raise InvalidWeights(
                f"no layer has one of the strides {list(default)}; choose layers: {', '.join(strides)}"
            )
        return tuple(deepest[stride] for stride in default)
    if not layers or not set(layers) <= strides.keys():
        raise InvalidWeights(f"layers are {list(layers)}; use some of {', '.join(strides)}")
    return tuple(layers)
