"""The interface for executing the network of a detector."""

from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Protocol

import torch
from torch import Tensor

from app.detectors import Detector, Features
from app.runtime.program import Program


class Runtime(StrEnum):
    """The library that runs networks."""

    torch = "torch"


class Precision(StrEnum):
    """The number format of a network's computations. New values may be added."""

    float32 = "float32"
    bfloat16 = "bfloat16"
    float16 = "float16"


class Kernels(StrEnum):
    """The kernels that run a network: oneDNN's fused kernels with or without Winograd's transforms (winograd, fused),
    torch's operations (plain), CUDA graphs (graphs), or the detector's own modules (modules). New values may be
    added.
    """

    winograd = "winograd"
    fused = "fused"
    plain = "plain"
    graphs = "graphs"
    modules = "modules"


DTYPES = {
    Precision.float32: torch.float32,
    Precision.bfloat16: torch.bfloat16,
    Precision.float16: torch.float16,
}


class Network(Protocol):
    """Normalised tiles [n,3,h,w] float32 -> the detector's outputs [n,C,h',w'] each, as `Detector.network` gives them.

    The outputs have the dtype of the execution, and may be channels-last in memory. On a GPU only one thread at a time
    may call a network; on a CPU any number of threads may.
    """

    @property
    def kernels(self) -> Kernels:
        """The kernels that run the network."""

    @property
    def precision(self) -> Precision:
        """The precision of the computation."""

    def __call__(self, tiles: Tensor) -> Features:
        """The outputs."""


class Eager:
    """Runs the detector's own modules with their current weights, as training requires."""

    kernels = Kernels.modules
    precision = Precision.float32

    def __init__(self, detector: Detector) -> None:
        self._detector = detector

    def __call__(self, tiles: Tensor) -> Features:
        return self._detector.network(tiles)


class StraightLine:
    """Runs the operations of a program in order; frees each value after its last use.

    Operations get the tiles in float32, and other values as earlier operations returned them.
    """

    def __init__(
        self,
        program: Program,
        kernels: Kernels,
        precision: Precision,
        operations: Sequence[Callable[..., Tensor]],
    ) -> None:
        self.kernels: Kernels = kernels
        self.precision = precision
        sources = [step.sources for step in program.steps]
        self._steps = list(zip(operations, sources, program.last_uses(), strict=True))
        self._outputs = program.outputs

    def __call__(self, tiles: Tensor) -> Features:
        values: dict[int, Tensor] = {0: tiles}
        del tiles
        for number, (operation, sources, done) in enumerate(self._steps, start=1):
            values[number] = operation(*(values[source] for source in sources))
            for value in done:
                del values[value]
        return tuple(values[number] for number in self._outputs)
