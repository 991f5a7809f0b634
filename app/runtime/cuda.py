"""Runs programs as CUDA graphs: captured once for each number of tiles, then replayed without launches from Python."""

from threading import Lock

import torch
from torch import Tensor

from app.detectors import Features
from app.runtime.network import DTYPES, Kernels, Precision
from app.runtime.plain import plain_network
from app.runtime.program import Pair, Program

WARM_UPS = 3
"""Runs before a capture, in which cuDNN chooses its kernels."""

_CAPTURING = Lock()  # CUDA allows one capture at a time per process, and several threads load and run models


def captured_size(tiles: int) -> int:
    """The number of tiles in the graph that runs `tiles` tiles: the next power of two."""
    return 1 << (tiles - 1).bit_length()


class CudaNetwork:
    """Replays graphs for tiles of `tile_size`; runs tiles of other sizes, or all if it is None, without a graph.

    The input and the outputs of a graph have fixed addresses. So tiles are copied in, and outputs are copied before the
    next replay overwrites them. All of this is queued on the current stream, and the host does not wait.
    """

    kernels = Kernels.graphs

    def __init__(self, program: Program, precision: Precision, tile_size: Pair | None) -> None:
        self.precision = precision
        self._network = plain_network(program, precision)
        self._tile_size = tile_size
        self._graphs: dict[int, tuple[torch.cuda.CUDAGraph, Tensor, Features]] = {}
        self._stream: torch.cuda.Stream | None = None

    def __call__(self, tiles: Tensor) -> Features:
        if self._tile_size is None or tuple(tiles.shape[-2:]) != self._tile_size:
            return self._network(tiles.to(memory_format=torch.channels_last))
        size = captured_size(len(tiles))
        if size not in self._graphs:
            self._graphs[size] = self._captured(size, tiles.device)
        graph, place, outputs = self._graphs[size]
        place[: len(tiles)].copy_(tiles)
        graph.replay()
        return tuple(output[: len(tiles)].clone(memory_format=torch.preserve_format) for output in outputs)

    def _captured(self, size: int, device: torch.device) -> tuple[torch.cuda.CUDAGraph, Tensor, Features]:
        """A graph, its input tensor and its output tensors. All graphs share one memory pool for values in between.

        The capture forbids unsafe CUDA calls in this thread only: other threads continue to allocate memory, and to
        query whether copies are done.
        """
        shape = size, 3, *(self._tile_size or ())
        place = torch.zeros(shape, dtype=DTYPES[self.precision], device=device).to(memory_format=torch.channels_last)
        pool = next((graph.pool() for graph, _, _ in self._graphs.values()), None)
        if self._stream is None:
            self._stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]  # torch leaves it so
        with _CAPTURING, torch.cuda.device(device):
            self._stream.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(self._stream):
                for _ in range(WARM_UPS):
                    self._network(place)
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph, pool, self._stream, capture_error_mode="thread_local"):
                outputs = self._network(place)
            torch.cuda.current_stream().wait_stream(self._stream)
        return graph, place, outputs
