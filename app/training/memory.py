"""How much memory there is, and how much training would take."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import torch

from app.backbones import ARCHITECTURES
from app.detectors import Detector, GradientDetector, OnePassDetector
from app.errors import InsufficientMemory
from app.pipeline import is_out_of_memory
from app.tiling import Size

CGROUP = Path("/sys/fs/cgroup")
CELLS_PER_PIXEL = 40  # activations of a ResNet, measured on all four: at most this many floats for a pixel of input
GRAPH_CELLS_PER_PIXEL = {False: 300, True: 1000}  # for gradients, without and with bottlenecks: at most 253 and 825
OPTIMIZER_COPIES = 4  # weights, gradients, and two moments


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


def estimated_bytes(detector: Detector, pictures: int, grid: Size, input_size: Size, batch_tiles: int) -> int:
    """What fitting takes at most: the detector's state, and the activations of a batch of tiles."""
    height, width = input_size
    floats = batch_tiles * height * width
    if isinstance(detector, GradientDetector):
        parameters = sum(each.numel() for network in detector.learners for each in network.parameters())
        cells = GRAPH_CELLS_PER_PIXEL[ARCHITECTURES[detector.backbone.architecture].bottleneck]
        return 4 * (OPTIMIZER_COPIES * parameters + cells * floats)
    assert isinstance(detector, OnePassDetector)
    return detector.fitting_memory(pictures, grid) + 4 * CELLS_PER_PIXEL * floats


HELP = (
    "use smaller pictures (image_size), a smaller backbone, fewer channels (PaDiM: n_features), a smaller coreset or "
    "store (PatchCore: coreset_sampling_ratio, max_store_mib), or fewer tiles at once (STFPM and Reverse Distillation: "
    "trainer.batch_tiles)"
)


def require(needed: int, device: torch.device) -> None:
    """Raises InsufficientMemory, with what would help, unless the device can hold this many bytes more."""
    there = available_bytes(device)
    if needed > there:
        needs = f"training would take about {needed / 2**30:.1f} GiB and {there / 2**30:.1f} GiB are free on {device}"
        raise InsufficientMemory(f"{needs}; {HELP}")


@contextmanager
def explaining_memory(device: torch.device) -> Iterator[None]:
    """Turns a lack of memory, which the estimate did not foresee, into InsufficientMemory with what would help."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        raise InsufficientMemory(f"training did not fit into the memory of {device}; {HELP}") from error
