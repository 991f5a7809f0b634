"""A program -> the network that runs it, as fast as device and precision allow."""

import torch

from app.runtime.cuda import CudaNetwork
from app.runtime.fused import fused_kernels_exist, fused_network
from app.runtime.hardware import precisions
from app.runtime.network import Network, Precision
from app.runtime.onnx import OnnxNetwork, require_onnx
from app.runtime.options import RunOptions, Runtime
from app.runtime.plain import plain_network
from app.runtime.program import Pair, Program


def require(options: RunOptions, device: torch.device) -> tuple[Precision, ...]:
    """The precisions that are to be tried on a device, the best first.

    Raises InvalidDevice or UnavailableRuntime if the options cannot be met there.
    """
    if options.runtime != "onnxruntime":
        return precisions(options.precision, device)
    found = precisions("float32" if options.precision == "auto" else options.precision, device)
    require_onnx(device, found[0])
    return found


def build_network(
    program: Program, device: torch.device, runtime: Runtime, precision: Precision, tile_size: Pair | None
) -> Network:
    """The program on the device that its weights are on, for tiles of one size, or of any (None).

    `auto` is torch: with oneDNN's fused kernels it was faster than ONNX Runtime whose threads do not spin. What is
    asked for must be available, see `require`.
    """
    if runtime == "onnxruntime":
        return OnnxNetwork(program)
    if device.type == "cuda":
        return CudaNetwork(program, precision, tile_size)
    if fused_kernels_exist():
        return fused_network(program, precision, tile_size)
    return plain_network(program, precision)
