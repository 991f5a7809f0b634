"""What detectors do that learn by gradient descent: predict the features of a frozen network on normal pictures.

With tiles of 256 x 256 pixels and a ResNet-18:

    targets(tiles [n,3,256,256])  -> features of the frozen network, ([n,64,64,64], [n,128,32,32], [n,256,16,16])
    predictions(tiles, targets)   -> features of the same shapes, by the networks that learn
    ... stitched: whole pictures  -> [C,H,W] each
    loss(targets, predictions)    -> one number a picture; the mean or sum over the pictures of a step is minimised
"""

from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from app.backbones import LAYER_STRIDES
from app.detectors.base import Detector, Features, Measurement


class GradientDetector(Detector):
    """A frozen network, the backbone, and networks that learn to predict its features."""

    reduction: ClassVar[Literal["mean", "sum"]]
    """How the losses of a step's pictures are put together."""
    default_max_epochs: ClassVar[int]

    @property
    def feature_strides(self) -> tuple[int, ...]:
        """A feature a layer, which holds the targets' channels and then the predictions'."""
        return tuple(LAYER_STRIDES[layer] for layer in self.backbone.layers)

    @torch.no_grad()
    def targets(self, tiles: Tensor) -> Features:
        """Normalised tiles [n,3,h,w] -> the frozen network's features, [n,C,h/stride,w/stride] each."""
        return tuple(self.backbone(tiles).values())

    @abstractmethod
    def rebuilt(self, tiles: Tensor, targets: Features) -> Features:
        """What the learning networks make of tiles and targets: at least as many cells as the targets have."""

    def predictions(self, tiles: Tensor, targets: Features) -> Features:
        """What the learning networks predict the targets to be, [n,C,h/stride,w/stride] each; differentiable."""
        pairs = zip(self.rebuilt(tiles, targets), targets, strict=True)
        return tuple(_cut_to(guess, target) for guess, target in pairs)

    @abstractmethod
    def loss(self, targets: Features, predictions: Features) -> Tensor:
        """The loss of a stitched picture, of features [C,H,W] each: a scalar, 0 for perfect predictions."""

    @abstractmethod
    def cell_distances(self, targets: Tensor, predictions: Tensor) -> Tensor:
        """How far predictions are from targets in each cell: [C,rows,w] twice -> [rows,w]."""

    @property
    @abstractmethod
    def learners(self) -> Sequence[nn.Module]:
        """The networks that learn."""

    @abstractmethod
    def optimizer(self) -> Optimizer:
        """An optimizer of the learners' parameters, with the settings of the paper or of anomalib."""

    def network(self, tiles: Tensor) -> Features:
        """The targets of all layers, and then what was rebuilt of them."""
        targets = self.targets(tiles)
        return (*targets, *self.rebuilt(tiles, targets))

    def assemble(self, outputs: Features) -> Features:
        """For each layer targets and predictions, [n,2C,h/stride,w/stride]."""
        layers = len(outputs) // 2
        pairs = zip(outputs[:layers], outputs[layers:], strict=True)
        return tuple(torch.cat([target, _cut_to(guess, target)], 1) for target, guess in pairs)

    def measure(self, features: Features, top: int) -> Measurement:
        """[2C,rows,w] -> [rows,w] for each layer."""
        return Measurement(tuple(self.cell_distances(*feature.chunk(2)) for feature in features))

    def train(self, mode: bool = True) -> "GradientDetector":
        """Puts the learners into training mode; the frozen network stays as it is."""
        super().train(mode)
        return self


def _cut_to(guess: Tensor, target: Tensor) -> Tensor:
    """As many cells as the target has: of an untiled picture the last ones may be cut off."""
    return guess[..., : target.shape[-2], : target.shape[-1]]
