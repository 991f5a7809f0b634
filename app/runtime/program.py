"""A network as a list of steps of a few kinds.

Values are numbered: value 0 is the batch of tiles, and step k (from 0) computes value k + 1 from earlier values. Steps
refer to the modules of the detector and copy nothing, so that weights can be converted one layer at a time.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Pair = tuple[int, int]
Padding = tuple[int, int, int, int]
"""Zeros beside a picture, in cells: left, right, top, bottom."""


@dataclass(frozen=True, slots=True, eq=False)
class Convolution:
    """A convolution, followed by its batch norm, the addition of value `add`, and, with `relu`, a rectification.

    `limit` is the upper limit of a rectification (6 for ReLU6). `extra` is padding before that of the module.
    """

    source: int
    module: nn.Conv2d | nn.ConvTranspose2d
    norm: nn.BatchNorm2d | None = None
    add: int | None = None
    relu: bool = False
    limit: float = inf
    extra: Padding = (0, 0, 0, 0)

    @property
    def sources(self) -> tuple[int, ...]:
        """The numbers of the input values, in the order of the operation's arguments."""
        return (self.source,) if self.add is None else (self.source, self.add)

    @property
    def transposed(self) -> bool:
        return isinstance(self.module, nn.ConvTranspose2d)

    @property
    def padding(self) -> Pair:
        """The padding of the folded convolution, which is the same on both sides: vertical, horizontal."""
        left, right, top, bottom = self.extra
        vertical, horizontal = _pair(self.module.padding)
        return vertical + max(top, bottom), horizontal + max(left, right)

    @property
    def kernel_size(self) -> Pair:
        """The size of the folded kernel."""
        left, right, top, bottom = self.extra
        height, width = _pair(self.module.kernel_size)
        return height + abs(bottom - top), width + abs(right - left)

    @torch.no_grad()
    def folded(self) -> tuple[Tensor, Tensor]:
        """Weight and bias, float32, with the batch norm folded in; computed in float64, rounded once.

        Kernels pad equally on both sides. If `extra` does not, the kernel gets zeros on the side with less padding,
        which costs less time than a padded copy of the input.
        """
        weight, bias = self._normed()
        left, right, top, bottom = self.extra
        if left == right and top == bottom:
            return weight, bias
        sides = (max(right - left, 0), max(left - right, 0), max(bottom - top, 0), max(top - bottom, 0))
        return F.pad(weight, sides), bias

    def _normed(self) -> tuple[Tensor, Tensor]:
        weight = self.module.weight.detach()
        bias = weight.new_zeros(self.module.out_channels) if self.module.bias is None else self.module.bias.detach()
        norm = self.norm
        if norm is None:
            return weight.float(), bias.float()
        if norm.running_mean is None or norm.running_var is None:
            raise NotImplementedError("a batch norm that keeps no statistics cannot be folded")
        scale = (norm.running_var.double() + norm.eps).rsqrt()
        if norm.affine:
            scale = scale * norm.weight.double()
        shift = (bias.double() - norm.running_mean.double()) * scale
        if norm.affine:
            shift = shift + norm.bias.double()
        channels = (1, -1, 1, 1) if self.transposed else (-1, 1, 1, 1)
        return (weight.double() * scale.view(channels)).float(), shift.float()


@dataclass(frozen=True, slots=True)
class MaxPool:
    """The largest value of each window."""

    source: int
    kernel: Pair
    stride: Pair
    padding: Pair

    @property
    def sources(self) -> tuple[int, ...]:
        """The number of the input value."""
        return (self.source,)


@dataclass(frozen=True, slots=True)
class Concatenation:
    """Values concatenated along their channels."""

    sources: tuple[int, ...]


Step = Convolution | MaxPool | Concatenation


def _pair(value: Sequence[int] | str) -> Pair:
    assert not isinstance(value, str)
    first, second = value
    return first, second


@dataclass(frozen=True, slots=True, eq=False)
class Program:
    """The steps, and the numbers of the values that are the network's outputs."""

    steps: tuple[Step, ...]
    outputs: tuple[int, ...]

    def is_rectified(self, value: int) -> bool:
        """Whether a value is known to be non-negative."""
        step = self.steps[value - 1] if value else None
        return isinstance(step, Convolution) and step.relu

    def last_uses(self) -> list[tuple[int, ...]]:
        """For each step, the values that no later step needs."""
        last = {source: number for number, step in enumerate(self.steps) for source in step.sources}
        return [
            tuple(value for value, user in last.items() if user == number and value not in self.outputs)
            for number in range(len(self.steps))
        ]

    def release_weights(self) -> None:
        """Frees the weights of the detector's own modules. It can no longer be trained, written, or run by itself."""
        for step in self.steps:
            if isinstance(step, Convolution):
                step.module.to("meta")
                if step.norm is not None:
                    step.norm.to("meta")
