"""Compiles the search's Triton kernels for a GPU that is absent: `python -m tests.compiling 80` for capability 8.0.

No kernel runs: a launch only sets its int64 tensors, the row numbers, to 0.
"""

import sys
from types import SimpleNamespace
from typing import Any

import torch
from triton import runtime
from triton.backends.compiler import GPUTarget
from triton.backends.driver import DriverBase

SHARED_KIB = {80: 163, 86: 99, 89: 99, 90: 227, 100: 227}
"""Shared memory of a block in KiB, by compute capability."""


class AbsentGpu(DriverBase):  # type: ignore[misc]  # Triton has no types
    """A driver of a GPU of a compute capability. Triton refuses kernels that exceed its shared memory."""

    def __init__(self, capability: int) -> None:
        self._target = GPUTarget("cuda", capability, 32)
        properties = {"max_shared_mem": SHARED_KIB[capability] * 1024}
        self.utils = SimpleNamespace(
            get_device_properties=lambda device: properties,
            load_binary=lambda *_: (None, None, 0, 0, 1024),  # module, function, registers, spills, most threads
        )
        self.launcher_cls = lambda source, metadata: _start

    @classmethod
    def is_active(cls) -> bool:
        return True

    def map_python_to_cpp_type(self, ty: str) -> str:
        raise NotImplementedError

    def get_current_target(self) -> Any:
        return self._target

    def get_active_torch_device(self) -> torch.device:
        return torch.device("cpu")

    def get_benchmarker(self) -> Any:
        raise NotImplementedError

    def get_current_device(self) -> int:
        return 0

    def get_current_stream(self, device: int) -> int:
        return 0


def _start(*arguments: object) -> None:
    for argument in arguments:
        if isinstance(argument, torch.Tensor) and argument.dtype == torch.int64:
            argument.zero_()


def main() -> None:
    """Fails if a kernel does not compile or fit, or compiles again for another number or memory offset of queries."""
    runtime.driver.set_active(AbsentGpu(int(sys.argv[1])))
    from app.detectors.grouped_search import GroupedSearch
    from app.detectors.search_kernels import group_minima, nearest_in_groups

    def compiled() -> list[int]:
        return [len(kernel.device_caches[0][0]) for kernel in (group_minima, nearest_in_groups)]

    for rows, channels in [(50_000, 384), (3000, 1536), (1030, 1)]:
        search = GroupedSearch(torch.randn(rows, channels))
        before = compiled()
        for count in (1, 16, 1000):
            memory = torch.randn(count * channels + 1)
            for offset in (0, 1):
                search.nearest(memory[offset : offset + count * channels].view(count, channels))
        assert compiled() == before, f"{rows} x {channels}"


if __name__ == "__main__":
    main()
