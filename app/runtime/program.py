"""A network as a list of steps of a few kinds.

Values are numbered: value 0 is the batch of tiles, and step k (from 0) computes value k + 1 from earlier values. Steps
refer to the modules of the detector and copy nothing, so that weights can be converted one layer at a time.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

Pair = tuple[int, int]


@dataclass(frozen=True, slots=True, eq=False)
class Convolution:
    """A convolution, followed by its batch norm, the addition of value `add`, and, with `relu`, a rectification."""

    source: int
    module: nn.Conv2d | nn.ConvTranspose2d
    norm: nn.BatchNorm2d | None = None
    add: int | None = None
    relu: bool = False

    @property
    def sources(self) -> tuple[int, ...]:
        """The numbers of the input values, in the order of the operation's arguments."""
        return (self.source,) if self.add is None else (self.source, self.add)

    @property
    def transposed(self) -> bool:
        return isinstance(self.module, nn.ConvTranspose2d)

    @torch.no_grad()
    def folded(self) -> tuple[Tensor, Tensor]:
        """Weight and bias, float32, with the batch norm folded in; computed in float64, rounded once."""
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
