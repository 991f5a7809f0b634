"""Checks the memory of a device, and explains a lack of memory."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from app.cgroup import free_memory
from app.detectors import Detector
from app.errors import InsufficientMemory
from app.pipeline import is_out_of_memory
from app.tiling import Size

FLOAT = 4  # bytes of a float32


def available_bytes(device: torch.device) -> int:
    """The free memory of the device. For a CPU, the limit of the container counts, too."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    return free_memory()


def picture_bytes(size: Size, target: Size) -> int:
    """The most bytes that a training takes for one picture on its device, without its features.

    These are the decoded picture, the resized picture with the channel that is being resized, the map with its blurred
    copy and the band that is being blurred, and the map at the picture's own size. `size` is that of the picture, and
    `target` the one at which it is tiled.
    """
    pixels, resized = size[0] * size[1], target[0] * target[1]
    resizing = 0 if size == target else 3 * FLOAT * resized + FLOAT * (pixels + resized)
    return decoded_bytes(size) + resizing + 3 * FLOAT * resized + FLOAT * pixels


def decoded_bytes(size: Size) -> int:
    """The most bytes of a decoded picture: three channels of one byte, or one of two."""
    return 3 * size[0] * size[1]


def require_memory(needed: int, device: torch.device, detector: Detector) -> None:
    """Raises InsufficientMemory, with advice, if the device has fewer than `needed` bytes of free memory."""
    free = available_bytes(device)
    if needed > free:
        needs = f"training would take about {needed / 2**30:.1f} GiB and {free / 2**30:.1f} GiB are free on {device}"
        raise InsufficientMemory(f"{needs}; {_advice(detector)}")


@contextmanager
def out_of_memory_explained(device: torch.device, detector: Detector) -> Iterator[None]:
    """Turns an out-of-memory error, which the estimate did not predict, into InsufficientMemory with advice."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        raise InsufficientMemory(f"training did not fit into the memory of {device}; {_advice(detector)}") from error


def _advice(detector: Detector) -> str:
    return ", ".join(filter(None, ("use smaller pictures (data.image_size)", detector.memory_advice)))
