"""Random weights at the start of a training."""

from torch import nn

from app.backbones.resnet import BasicBlock, Bottleneck


def initialise(network: nn.Module, zero_last: bool = False) -> nn.Module:
    """Draws the weights of the network's convolutions from a normal distribution, and returns the network.

    The distribution preserves the variance of gradients: He et al. 2015 (arXiv:1502.01852), section 2.2, by fan-out.
    With `zero_last` the residual blocks of a ResNet start as identities (Goyal et al. 2017, arXiv:1706.02677, section
    5.1). Transposed convolutions are not changed.
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        elif zero_last and isinstance(module, BasicBlock):
            nn.init.zeros_(module.bn2.weight)
        elif zero_last and isinstance(module, Bottleneck):
            nn.init.zeros_(module.bn3.weight)
    return network
