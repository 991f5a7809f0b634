"""Asynchronous copies between the host and a GPU."""

from collections.abc import Generator

import torch
from torch import Tensor

from app.pipeline.stages import Stage, StageClock


class Uploader:
    """Copies pictures to a device. Copies to a GPU use pinned memory and a separate stream, while the GPU computes.

    Without `own_stream`, copies are queued on the current stream, in order with its computations.
    """

    def __init__(self, device: torch.device, stages: StageClock, *, own_stream: bool = True) -> None:
        self._device, self._stages, self._own_stream = device, stages, own_stream
        self._stream: torch.cuda.Stream | None = None

    def upload(self, image: Tensor) -> Tensor:
        """The picture on the device. The current stream waits for the copy; the calling thread does not."""
        if self._device.type != "cuda" or image.device == self._device:
            return image
        current = torch.cuda.current_stream(self._device)
        if self._stream is None:
            own = torch.cuda.Stream(self._device)  # type: ignore[no-untyped-call]  # torch leaves it so
            self._stream = own if self._own_stream else current
        with torch.cuda.stream(self._stream), self._stages.timed(Stage.upload):
            pixels = pinned(image).to(self._device, non_blocking=True)
        current.wait_stream(self._stream)
        pixels.record_stream(current)
        return pixels


def pinned(image: Tensor) -> Tensor:
    """The picture in pinned memory, from which a GPU copies asynchronously; the same tensor if it is pinned already."""
    return image if image.is_pinned() else image.pin_memory()


def download(tensor: Tensor) -> Generator[None, None, Tensor]:
    """Returns the tensor on the CPU. Yields until the copy is complete; the caller may launch other work meanwhile."""
    if tensor.device.type == "cpu":
        return tensor
    host = torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True)
    host.copy_(tensor, non_blocking=True)
    done = torch.cuda.Event()  # type: ignore[no-untyped-call]  # torch leaves it so
    done.record(torch.cuda.current_stream(tensor.device))  # the default is the first GPU's stream
    while not done.query():  # type: ignore[no-untyped-call]  # as above
        yield
    return host
