"""Copies between the host and a GPU that make nobody wait."""

from collections.abc import Generator

import torch
from torch import Tensor

from app.pipeline.stages import Stage, StageClock


class Uploader:
    """Copies pictures to a device; to a GPU from pinned memory, on a stream of its own, beside what that computes.

    Without `own_stream` it copies on the current stream, in turn with what is computed there.
    """

    def __init__(self, device: torch.device, stages: StageClock, *, own_stream: bool = True) -> None:
        self._device, self._stages, self._own_stream = device, stages, own_stream
        self._stream: torch.cuda.Stream | None = None

    def upload(self, image: Tensor) -> Tensor:
        """The picture on the device. What is computed with it on the current stream waits for it there, not here."""
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
    """The picture in pinned memory, from which a GPU copies by itself: as it is, if it lies there already."""
    return image if image.is_pinned() else image.pin_memory()


def download(tensor: Tensor) -> Generator[None, None, Tensor]:
    """Returns the tensor on the CPU; yields as long as a GPU is not done with it, which can be given more to do."""
    if tensor.device.type == "cpu":
        return tensor
    host = torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True)
    host.copy_(tensor, non_blocking=True)
    done = torch.cuda.Event()  # type: ignore[no-untyped-call]  # torch leaves it so
    done.record(torch.cuda.current_stream(tensor.device))  # by itself it would be the first GPU's
    while not done.query():  # type: ignore[no-untyped-call]  # so, too
        yield
    return host
