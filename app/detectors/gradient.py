"""The contract of detectors that learn by gradient descent to predict a frozen network's features of normal pictures.

Example shapes, with tiles of 256 x 256 pixels and a ResNet-18:

    targets(tiles [n,3,256,256])  -> features of the frozen network, ([n,64,64,64], [n,128,32,32], [n,256,16,16])
    predictions(tiles, targets)   -> features of the same shapes, from the networks that learn
    ... stitched: whole pictures  -> [C,H,W] each
    loss(targets, predictions)    -> a scalar per picture; the mean or sum over the pictures of a step is minimised
"""

from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import Optimizer

from app.backbones import ARCHITECTURES
from app.detectors.base import Features, Measurement, Place
from app.detectors.with_backbone import BackboneDetector
from app.errors import InvalidParameter

GRAPH_VALUES_PER_PIXEL = {False: 300, True: 1000}
"""The most values per input pixel that are kept for the backward pass, for backbones without and with bottlenecks. The
measured numbers are 253 and 825.
"""
OPTIMIZER_COPIES = 4  # weights, gradients, and two moments
EPSILON = 1e-12  # the smallest divisor of a vector, as in torch.nn.functional.normalize


class GradientDetector(BackboneDetector):
    """A frozen network, the backbone, and networks that learn to predict its features."""

    reduction: ClassVar[Literal["mean", "sum"]]
    """How the losses of the pictures of a step are combined."""
    default_max_epochs: ClassVar[int]
    memory_advice = "a smaller backbone, or fewer tiles at once (trainer.batch_tiles)"
    default_strides = (4, 8, 16)

    def __init__(
        self, backbone: str, layers: Sequence[str] | None, pre_trained: bool = True, backbone_weights: str | None = None
    ) -> None:
        if backbone not in ARCHITECTURES:
            raise InvalidParameter(
                f"backbone is {backbone!r}, and {self.name} trains networks that mirror a ResNet; use one of "
                f"{', '.join(ARCHITECTURES)}, or Patchcore, Padim or Subspace with other backbones"
            )
        super().__init__(backbone, layers, pre_trained, backbone_weights)

    @property
    def feature_strides(self) -> tuple[int, ...]:
        """The strides of the targets of all layers, and then of the predictions."""
        return self.map_strides * 2

    @property
    def feature_channels(self) -> tuple[int, ...]:
        return tuple(self.backbone.channels[layer] for layer in self.backbone.layers) * 2

    @property
    def map_strides(self) -> tuple[int, ...]:
        return self.backbone.feature_strides

    def training_bytes(self, pictures: int, grid: tuple[int, int], pixels: int) -> int:
        parameters = sum(each.numel() for network in self.learners for each in network.parameters())
        values = GRAPH_VALUES_PER_PIXEL[ARCHITECTURES[self.backbone.architecture].bottleneck]
        return 4 * (OPTIMIZER_COPIES * parameters + values * pixels)

    @torch.no_grad()
    def targets(self, tiles: Tensor) -> Features:
        """Normalised tiles [n,3,h,w] -> the frozen network's features, [n,C,h/stride,w/stride] each."""
        return tuple(self.backbone(tiles).values())

    @abstractmethod
    def rebuilt(self, tiles: Tensor, targets: Features) -> Features:
        """The outputs of the learning networks for tiles and targets, each with at least the cells of its target."""

    def predictions(self, tiles: Tensor, targets: Features) -> Features:
        """The learning networks' predictions of the targets, [n,C,h/stride,w/stride] each; differentiable."""
        pairs = zip(self.rebuilt(tiles, targets), targets, strict=True)
        return tuple(_cut_to(guess, target) for guess, target in pairs)

    @abstractmethod
    def loss(self, targets: Features, predictions: Features) -> Tensor:
        """The loss of a stitched picture with features [C,H,W] each: a scalar, 0 for perfect predictions."""

    @abstractmethod
    def cell_distances(self, targets: Tensor, predictions: Tensor) -> Tensor:
        """The distance between target and prediction in each cell: [n,C,h,w] twice, float32 -> [n,h,w]."""

    @property
    @abstractmethod
    def learners(self) -> Sequence[nn.Module]:
        """The networks that learn."""

    @abstractmethod
    def optimizer(self) -> Optimizer:
        """An optimizer of the learners' parameters, with the settings of the paper or of anomalib."""

    def network(self, tiles: Tensor) -> Features:
        """The targets of all layers, and then the outputs of `rebuilt`."""
        targets = self.targets(tiles)
        return (*targets, *self.rebuilt(tiles, targets))

    def assemble(self, outputs: Features) -> Features:
        """The targets of all layers, and then the predictions, [n,C,h/stride,w/stride] each."""
        targets, guesses = halves(outputs)
        return (*targets, *(_cut_to(guess, target) for target, guess in zip(targets, guesses, strict=True)))

    def measure(self, features: Features, places: Sequence[Place], counted: Tensor | None = None) -> Measurement:
        """The distances of each layer, which do not depend on `places`."""
        pairs = zip(*halves(features), strict=True)
        return Measurement(tuple(self.cell_distances(target.float(), guess.float()) for target, guess in pairs))

    def patches_at(self, features: Features, cells: Tensor) -> Tensor:
        """See Detector; the targets of all layers, each as a unit vector, because distances compare directions only."""
        found = []
        for target, stride in zip(halves(features)[0], self.map_strides, strict=True):
            rows, columns = (cells * self.map_strides[0] // stride).unbind(1)
            found.append(F.normalize(target[:, rows, columns].T.float(), dim=1, eps=EPSILON))
        return torch.cat(found, 1)

    def train(self, mode: bool = True) -> "GradientDetector":
        """Puts the learners into training mode; the frozen network stays in evaluation mode."""
        super().train(mode)
        return self


def halves(features: Features) -> tuple[Features, Features]:
    """Splits features into targets and predictions."""
    layers = len(features) // 2
    return features[:layers], features[layers:]


def squared_distances(first: Tensor, second: Tensor) -> Tensor:
    """The squared distance of the unit vectors along dimension 1: [n,C,h,w] twice -> [n,h,w], in [0, 4].

    Equal to 2 - 2 cos of the vectors' angle, which would cancel for close vectors. A zero vector remains zero.
    """
    first, second = (each.movedim(1, -1) for each in (first, second))  # the order in memory if channels-last
    lengths = [torch.linalg.vector_norm(each, dim=-1, keepdim=True).clamp_min(EPSILON) for each in (first, second)]
    difference = (first / lengths[0]).addcdiv_(second, lengths[1], value=-1)
    distances: Tensor = torch.linalg.vector_norm(difference, dim=-1).square()
    return distances


def _cut_to(guess: Tensor, target: Tensor) -> Tensor:
    """The prediction without the last cells that its target lacks, which an untiled picture may have."""
    return guess[..., : target.shape[-2], : target.shape[-1]]
