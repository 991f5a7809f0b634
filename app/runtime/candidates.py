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
    """What a network is computed in, and by which kernels."""

    precision: Precision
    kernels: Kernels


BUILDERS: dict[Kernels, Callable[[Program, Precision, Pair | None], Network]] = {
    "winograd": lambda program, precision, tile_size: fused_network(program, precision, tile_size, winograd=True),
    "fused": lambda program, precision, tile_size: fused_network(program, precision, tile_size, winograd=False),
    "plain": lambda program, precision, _: plain_network(program, precision),
    "graphs": CudaNetwork,
}


def build_network(program: Program, candidate: Candidate, tile_size: Pair | None) -> Network:
    """The program on the device that its weights are on, for tiles of one size, or of any (None)."""
    return BUILDERS[candidate.kernels](program, candidate.precision, tile_size)


def candidates(
    program: Program, device: torch.device, options: RunOptions, tile_size: Pair | None
) -> tuple[Candidate, ...]:
    """What the options allow on a device; usually the first is the fastest.

    Raises InvalidDevice if the options cannot be met there.
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
        return ("graphs",)
    if not fused_kernels_exist():
        return ("plain",)
    if precision != "float32":
        return ("fused",)  # the others round the tiles, which is the largest part of the error
    return ("winograd", "fused", "plain") if uses_winograd(program, precision, tile_size) else ("fused", "plain")
