"""A network that learns another one's features, layer by layer.

A layer can be given what the teacher's layer below says instead of its own (teacher forcing: Williams and Zipser 1989,
doi:10.1162/neco.1989.1.2.270): then all layers learn at once, each from its true input, and none waits for those below.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from app.backbones import ResNet, initialise
from app.backbones.resnet import BasicBlock, Bottleneck
from app.training.distillation.teacher import LAYERS


class Student(nn.Module):
    """A ResNet up to layer3, and linear maps from its features to the teacher's channels where these differ."""

    def __init__(self, architecture: str, channels: Sequence[int]) -> None:
        super().__init__()
        self.backbone = ResNet(architecture, LAYERS)
        initialise(self.backbone, zero_last=True)
        own = [self.backbone.channels[layer] for layer in LAYERS]
        self.can_be_forced = own == list(channels)
        self.maps = nn.ModuleList(
            nn.Identity() if mine == theirs else nn.Conv2d(mine, theirs, 1)
            for mine, theirs in zip(own, channels, strict=True)
        )

    @torch.no_grad()
    def start_from(self, means: Sequence[Tensor], variances: Sequence[Tensor]) -> None:
        """Lets each layer begin with means and variances [1,C,1,1] of the teacher's channels, or near them.

        Batch norms move slowly: without this, the first thousand steps do little else.
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
        """Features like the teacher's; `below` are the teacher's own, which then are what layers 2 and 3 build on."""
        backbone = self.backbone
        x = backbone.maxpool(backbone.act1(backbone.bn1(backbone.conv1(pictures))))
        found = []
        for number, layer in enumerate(LAYERS):
            if below is not None and number:
                x = below[number - 1]
            x = backbone.get_submodule(layer)(x)
            found.append(self.maps[number](x))
        return found
