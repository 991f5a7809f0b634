"""How much memory there is, and what is said where a training would take more."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import torch

from app.detectors import Detector
from app.errors import InsufficientMemory
from app.pipeline import is_out_of_memory

CGROUP = Path("/sys/fs/cgroup")


def available_bytes(device: torch.device) -> int:
    """How much the device can still hold; for the CPU within the container's limit, too."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    free = psutil.virtual_memory().available
    try:
        limit, used = (int((CGROUP / name).read_text()) for name in ("memory.max", "memory.current"))
    except (OSError, ValueError):  # no control groups, or no limit ("max")
        return free
    return min(free, limit - used)


def require(needed: int, device: torch.device, detector: Detector) -> None:
    """Raises InsufficientMemory, with what would help, unless the device can hold this many bytes more."""
    there = available_bytes(device)
    if needed > there:
        needs = f"training would take about {needed / 2**30:.1f} GiB and {there / 2**30:.1f} GiB are free on {device}"
        raise InsufficientMemory(f"{needs}; {_advice(detector)}")


@contextmanager
def explaining_memory(device: torch.device, detector: Detector) -> Iterator[None]:
    """Turns a lack of memory, which the estimate did not foresee, into InsufficientMemory with what would help."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        raise InsufficientMemory(f"training did not fit into the memory of {device}; {_advice(detector)}") from error


def _advice(detector: Detector) -> str:
    return ", ".join(filter(None, ("use smaller pictures (image_size)", detector.less_memory)))
