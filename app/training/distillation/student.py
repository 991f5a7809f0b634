"""The network that learns a teacher's features, layer by layer.

The input of a layer can be the features of the teacher's layer below instead of the student's (teacher forcing:
Williams and Zipser 1989, doi:10.1162/neco.1989.1.2.270). Then all layers learn at the same time, each from its true
input, and no layer waits for the layers below.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from app.backbones import ResNet
from app.backbones.resnet import BasicBlock, Bottleneck
from app.training.distillation.teacher import LAYERS


class Student(nn.Module):
    """A ResNet up to layer3, and linear maps from its features to the teacher's where their channels differ in number.

    Teacher forcing requires equal numbers of channels in all layers: `can_be_forced`.
    """

    def __init__(self, architecture: str, channels: Sequence[int]) -> None:
        super().__init__()
        self.backbone = ResNet(architecture, LAYERS)
        self.backbone.draw_weights()
        own = [self.backbone.channels[layer] for layer in LAYERS]
        self.can_be_forced = own == list(channels)
        self.maps = nn.ModuleList(
            nn.Identity() if mine == theirs else nn.Conv2d(mine, theirs, 1)
            for mine, theirs in zip(own, channels, strict=True)
        )

    @torch.no_grad()
    def start_from(self, means: Sequence[Tensor], variances: Sequence[Tensor]) -> None:
        """Initialises the layers so that their channels have about the means and variances [1,C,1,1] of the teacher's.

        Batch norm adapts slowly. Without this initialisation, the first thousand steps do little else.
        """
        for layer, own, mean, variance in zip(LAYERS, self.maps, means, variances, strict=True):
            first = self.backbone.get_submodule(f"{layer}.0")
            if isinstance(own, nn.Conv2d) and own.bias is not None:
                own.bias.copy_(mean.flatten())
            elif isinstance(first, BasicBlock | Bottleneck) and first.downsample is not None:
                shortcut = first.downsample[1]
                assert isinstance(shortcut, nn.BatchNorm2d)
                last = first.bn2 if isinstance(first, BasicBlock) else first.bn3
                shortcut.weight.copy_(variance.flatten().sqrt())
                last.bias.copy_(mean.flatten())

    def forward(self, pictures: Tensor, below: Sequence[Tensor] | None = None) -> list[Tensor]:
        """The features of all layers, with the teacher's channels.

        With `below`, the teacher's features, these are the input of layer2 and layer3 instead of the student's own.
        """
        backbone = self.backbone
        x = backbone.maxpool(backbone.act1(backbone.bn1(backbone.conv1(pictures))))
        features = []
        for number, layer in enumerate(LAYERS):
            if below is not None and number:
                x = below[number - 1]
            x = backbone.get_submodule(layer)(x)
            features.append(self.maps[number](x))
        return features
