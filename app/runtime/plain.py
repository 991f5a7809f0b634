"""Runs programs by torch's ordinary operations, on any device: batch norm folded, channels-last by default."""

from collections.abc import Callable
from math import inf

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from app.runtime.network import DTYPES, Kernels, Precision, StraightLine
from app.runtime.pooling import max_pool
from app.runtime.program import Convolution, MaxPool, Program, Step


def plain_network(
    program: Program, precision: Precision, *, memory_format: torch.memory_format = torch.channels_last
) -> StraightLine:
    """A network that runs the program on the device of its weights. The weights are stored in `memory_format`."""
    dtype = DTYPES[precision]
    operations = [_operation(step, dtype, memory_format) for step in program.steps]
    return StraightLine(program, Kernels.plain, precision, operations)


def _operation(step: Step, dtype: torch.dtype, memory_format: torch.memory_format) -> Callable[..., Tensor]:
    if isinstance(step, Convolution):
        return _convolution(step, dtype, memory_format)
    if isinstance(step, MaxPool):
        return lambda x: max_pool(x, step)
    return lambda *sources: torch.cat(sources, 1)


def _convolution(step: Convolution, dtype: torch.dtype, memory_format: torch.memory_format) -> Callable[..., Tensor]:
    weight, bias = step.folded()
    weight = weight.to(dtype, memory_format=memory_format)
    bias = bias.to(dtype)
    module, relu, limit = step.module, step.relu, step.limit
    stride, dilation, groups = module.stride, module.dilation, module.groups
    padding = step.padding

    def convolved(x: Tensor) -> Tensor:
        if isinstance(module, nn.ConvTranspose2d):
            extra = module.output_padding
            return F.conv_transpose2d(x, weight, bias, stride, padding, extra, groups, dilation)
        return F.conv2d(x, weight, bias, stride, padding, dilation, groups)

    def operation(x: Tensor, add: Tensor | None = None) -> Tensor:
        y = convolved(x.to(dtype))
        if add is not None:
            y.add_(add)
        return rectified(y, limit) if relu else y

    return operation


def rectified(x: Tensor, limit: float) -> Tensor:
    """Replaces negative values by 0, and values over `limit` by `limit`, in place."""
    return x.relu_() if limit == inf else x.clamp_(0, limit)
