"""Reverse Distillation from one-class embedding (Deng & Li 2022, arXiv:2201.10703)."""

from collections.abc import Sequence
from itertools import chain
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import Adam, Optimizer

from app.backbones import OneClassBottleneck, ResNetDecoder, initialise
from app.detectors.base import Features
from app.detectors.gradient import GradientDetector, squared_distances
from app.errors import InvalidParameter
from app.scoring import BLUR_SIGMA, MapRule

LAYERS = ("layer1", "layer2", "layer3")


class ReverseDistillation(GradientDetector):
    """A decoder learns to rebuild the backbone's features from one compact embedding of them.

    Args:
        backbone: resnet18, resnet34, resnet50, wide_resnet50_2, or resnet12 with weights of your own
        layers: only layer1, layer2 and layer3, which the bottleneck joins
        anomaly_map_mode: whether the map is the sum (add) or the product (multiply) of the layers' distances
        pre_trained: false leaves the backbone's weights random
        backbone_weights: a file, or a name on the Hugging Face hub; by default tessera_resnet18, which comes with the
            program, for resnet18, and timm's on the hub for others
    """

    name = "reverse_distillation"
    reduction = "mean"
    default_max_epochs = 200

    def __init__(
        self,
        backbone: str = "resnet18",
        layers: Sequence[str] = LAYERS,
        anomaly_map_mode: Literal["add", "multiply"] = "add",
        pre_trained: bool = True,
        backbone_weights: str | None = None,
    ) -> None:
        if tuple(layers) != LAYERS:
            raise InvalidParameter(f"layers are {list(layers)}; Reverse Distillation takes {', '.join(LAYERS)}")
        if anomaly_map_mode not in ("add", "multiply"):
            raise InvalidParameter(f"anomaly_map_mode is {anomaly_map_mode!r}; use 'add' or 'multiply'")
        super().__init__(backbone, layers, pre_trained, backbone_weights)
        self.anomaly_map_mode = anomaly_map_mode
        combine: Literal["sum", "product"] = "sum" if anomaly_map_mode == "add" else "product"
        self.map_rule = MapRule(upsampling="aligned", combine=combine, blur_sigma=BLUR_SIGMA)
        self.bottleneck = initialise(OneClassBottleneck(backbone))
        self.decoder = initialise(ResNetDecoder(backbone))

    @property
    def parameters_of_model(self) -> dict[str, object]:
        return {
            "backbone": self.backbone.architecture,
            "layers": list(self.backbone.layers),
            "anomaly_map_mode": self.anomaly_map_mode,
        }

    @property
    def tile_multiple(self) -> int:
        """The stride of the bottleneck's embedding, so that the decoder restores the sizes of the targets."""
        return 2 * self.stride

    def rebuilt(self, tiles: Tensor, targets: Features) -> Features:
        """The decoder's outputs for the embedding of the targets."""
        rebuilt: Features = self.decoder(self.bottleneck(targets))
        return rebuilt

    def loss(self, targets: Features, predictions: Features) -> Tensor:
        """1 - the cosine between a layer's targets and its predictions, summed over layers.

        The cosine is computed over all cells and channels of a layer at once, as in the authors' program. Eq. 2 has the
        mean over cells instead.
        """
        layers = zip(targets, predictions, strict=True)
        return torch.stack(
            [1 - F.cosine_similarity(target.flatten(), guess.flatten(), dim=0) for target, guess in layers]
        ).sum()

    def cell_distances(self, targets: Tensor, predictions: Tensor) -> Tensor:
        """Eq. 1: 1 - the cosine of the angle between the two, in [0, 2]."""
        distances = squared_distances(targets, predictions)
        for each in (targets, predictions):  # the cosine of a zero vector and any vector is 0
            distances += torch.linalg.vector_norm(each, dim=1) == 0
        return distances.mul_(0.5)

    @property
    def learners(self) -> Sequence[nn.Module]:
        return self.bottleneck, self.decoder

    def optimizer(self) -> Optimizer:
        """Section 4.1: Adam with rate 0.005; betas 0.5 and 0.99 as in anomalib (the paper has 0.999)."""
        parameters = chain.from_iterable(network.parameters() for network in self.learners)
        return Adam(list(parameters), lr=0.005, betas=(0.5, 0.99))
