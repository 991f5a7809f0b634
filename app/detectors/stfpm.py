"""Student-teacher feature pyramid matching (Wang et al. 2021, arXiv:2103.04257)."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.optim import SGD, Optimizer

from app.backbones import ResNet
from app.detectors.base import Features
from app.detectors.gradient import GradientDetector, squared_distances
from app.scoring import MapRule


class Stfpm(GradientDetector):
    """A student with the backbone's architecture learns to predict the backbone's features.

    A distance compares only the directions of the two feature vectors of a cell. The map is the product of the layers'
    distances: a pixel is anomalous if all layers have large distances there.

    Args:
        backbone: resnet18, resnet34, resnet50, wide_resnet50_2, or resnet12 with weights of your own
        layers: the layers whose features the student learns
        pre_trained: false leaves the backbone's weights random
        backbone_weights: a file, or a name on the Hugging Face hub; by default tessera_resnet18, which comes with the
            program, for resnet18, and timm's on the hub for others
    """

    name = "stfpm"
    map_rule = MapRule(upsampling="bilinear", combine="product")
    reduction = "sum"
    default_max_epochs = 100

    def __init__(
        self,
        backbone: str = "resnet18",
        layers: Sequence[str] | None = None,
        pre_trained: bool = True,
        backbone_weights: str | None = None,
    ) -> None:
        super().__init__(backbone, layers, pre_trained, backbone_weights)
        self.student = ResNet(backbone, self.backbone.layers)
        self.student.draw_weights()

    @property
    def parameters_of_model(self) -> dict[str, object]:
        return {"backbone": self.backbone.architecture, "layers": list(self.backbone.layers)}

    def rebuilt(self, tiles: Tensor, targets: Features) -> Features:
        """The student's features."""
        return tuple(self.student(tiles).values())

    def loss(self, targets: Features, predictions: Features) -> Tensor:
        """Eqs. 1 to 3: half the squared distance of unit vectors, averaged over a layer's cells, summed over layers."""
        layers = zip(targets, predictions, strict=True)
        return torch.stack([self.cell_distances(target[None], guess[None]).mean() for target, guess in layers]).sum()

    def cell_distances(self, targets: Tensor, predictions: Tensor) -> Tensor:
        """Half the squared distance of the unit vectors, in [0, 2]; equal to 1 - the cosine of their angle."""
        return squared_distances(targets, predictions).mul(0.5)

    @property
    def learners(self) -> Sequence[nn.Module]:
        return (self.student,)

    def optimizer(self) -> Optimizer:
        """Section 4: stochastic gradient descent, rate 0.4, momentum 0.9; weight decay 0.001 as in anomalib."""
        return SGD(self.student.parameters(), lr=0.4, momentum=0.9, weight_decay=1e-3)
