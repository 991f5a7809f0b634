"""Random weights at the start of a training."""

from math import sqrt

from torch import nn


def initialise(network: nn.Module) -> nn.Module:
    """Draws the weights of the network's convolutions from a normal distribution, and returns the network.

    The distribution preserves the variance of gradients: He et al. 2015 (arXiv:1502.01852), section 2.2, by fan-out
    within a group. Transposed convolutions are not changed.
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            fan_out = module.out_channels // module.groups * module.kernel_size[0] * module.kernel_size[1]
            nn.init.normal_(module.weight, 0, sqrt(2) / sqrt(fan_out))
    return network
