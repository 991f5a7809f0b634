"""The ways in which a program can be run on a device."""

from collections.abc import Callable
from dataclasses import dataclass

import torch

from app.runtime.cuda import CudaNetwork
from app.runtime.fused import fused_network, uses_winograd
from app.runtime.hardware import precisions
from app.runtime.network import Kernels, Network, Precision
from app.runtime.options import RunOptions
from app.runtime.plain import plain_network
from app.runtime.program import Pair, Program
from app.torch_private import fused_kernels_exist


@dataclass(frozen=True, slots=True)
class Candidate:
    """A way to run a network: in this precision, by these kernels."""

    precision: Precision
    kernels: Kernels


Builder = Callable[[Program, Precision, Pair | None], Network]
BUILDERS: dict[Kernels, Builder] = {
    Kernels.winograd: lambda program, precision, tile_size: fused_network(program, precision, tile_size, winograd=True),
    Kernels.fused: lambda program, precision, tile_size: fused_network(program, precision, tile_size, winograd=False),
    Kernels.plain: lambda program, precision, _: plain_network(program, precision),
    Kernels.graphs: CudaNetwork,
}


def build_network(program: Program, candidate: Candidate, tile_size: Pair | None) -> Network:
    """A network that runs the program on the device of its weights, for tiles of one size; None: of any size."""
    return BUILDERS[candidate.kernels](program, candidate.precision, tile_size)


def candidates(
    program: Program, device: torch.device, options: RunOptions, tile_size: Pair | None
) -> tuple[Candidate, ...]:
    """The candidates that the options allow on a device. Usually the first is the fastest.

    Raises InvalidDevice if the device does not support the options.
    """
    allowed = precisions(options.precision, device)
    return tuple(
        Candidate(precision, kernels)
        for precision in allowed
        for kernels in _kernels(program, device, precision, tile_size)
    )


def _kernels(
    program: Program, device: torch.device, precision: Precision, tile_size: Pair | None
) -> tuple[Kernels, ...]:
    if device.type == "cuda":
        return (Kernels.graphs,)
    if not fused_kernels_exist():
        return (Kernels.plain,)
    if precision is not Precision.float32:
        return (Kernels.fused,)  # plain kernels round the tiles, which causes most of the error
    without = Kernels.fused, Kernels.plain
    return (Kernels.winograd, *without) if uses_winograd(program, precision, tile_size) else without
