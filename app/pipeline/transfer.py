"""Copies between the host and a GPU that make nobody wait."""

from collections.abc import Generator

import torch
from torch import Tensor

from app.pipeline.stages import Stage, StageClock


class Uploader:
    """Copies pictures to a device; to a GPU from pinned memory, on a stream of its own, beside what that computes."""

    def __init__(self, device: torch.device, stages: StageClock) -> None:
        self._device, self._stages = device, stages
        self._stream: torch.cuda.Stream | None = None

    def upload(self, image: Tensor) -> Tensor:
        """The picture on the device. What is computed with it on the current stream waits for it there, not here."""
        if self._device.type != "cuda" or image.device == self._device:
            return image
        if self._stream is None:
            self._stream = torch.cuda.Stream(self._device)  # type: ignore[no-untyped-call]  # torch leaves it so
        with torch.cuda.stream(self._stream), self._stages.timed(Stage.upload):
            pixels = image.pin_memory().to(self._device, non_blocking=True)
        current = torch.cuda.current_stream(self._device)
        current.wait_stream(self._stream)
        pixels.record_stream(current)
        return pixels


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
