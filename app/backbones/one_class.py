"""The one-class bottleneck embedding of Reverse Distillation (Deng & Li 2022, arXiv:2201.10703, section 3.3)."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from app.backbones.resnet import ARCHITECTURES, BasicBlock, Bottleneck


class OneClassBottleneck(nn.Module):
    """Reduces the features of layers 1 to 3 to one size, concatenates them, and compresses them into one embedding.

    The embedding is meant to lose anomalous features, so that a decoder cannot reconstruct them.
    """

    def __init__(self, architecture: str) -> None:
        super().__init__()
        bottleneck = ARCHITECTURES[architecture].bottleneck
        first, second, third = (planes * (4 if bottleneck else 1) for planes in (64, 128, 256))
        self.conv1, self.bn1 = _halving(first, second), nn.BatchNorm2d(second)
        self.conv2, self.bn2 = _halving(second, third), nn.BatchNorm2d(third)
        self.conv3, self.bn3 = _halving(second, third), nn.BatchNorm2d(third)
        self.act = nn.ReLU(inplace=True)
        if bottleneck:  # width 64, also for wide networks
            blocks: list[nn.Module] = [Bottleneck(3 * third, 512, 2, 64), *(Bottleneck(2048, 512, 1, 64) for _ in "12")]
        else:
            blocks = [BasicBlock(3 * third, 512, 2), BasicBlock(512, 512, 1)]
        self.bn_layer = nn.Sequential(*blocks)

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        """Features of layers 1, 2 and 3 -> [N,C,h/32,w/32], where (h, w) is the size of the picture."""
        first, second, third = features
        first = self.act(self.bn2(self.conv2(self.act(self.bn1(self.conv1(first))))))
        second = self.act(self.bn3(self.conv3(second)))
        embedding: Tensor = self.bn_layer(torch.cat([first, second, third], 1))
        return embedding


def _halving(inputs: int, outputs: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, 2, 1, bias=False)
