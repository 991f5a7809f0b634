"""Reads the pictures of requests: files in decoder processes, and numbers in threads."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from time import monotonic
from typing import TypeVar

import torch
from torch import Tensor

from app.decoders.decoders import Decoders
from app.errors import InsufficientMemory
from app.service.source import Pixels, Source, opened, size_of, tensor_of
from app.tiling import Size

T = TypeVar("T")


class PictureReader:
    """Reads sizes and pixels of pictures.

    decoders: the processes that read files
    threads: convert numbers, and copy pixels into pinned memory
    pinned: whether pixels of files are copied into pinned memory, from which GPUs copy asynchronously
    """

    def __init__(self, decoders: Decoders, threads: Executor, *, max_pixels: int, pinned: bool) -> None:
        self._decoders, self._threads, self._max_pixels, self._pinned = decoders, threads, max_pixels, pinned

    async def size(self, source: Source) -> tuple[Size, float]:
        """(height, width) of the upright picture, without decoding it, and the duration in seconds.

        Raises the errors of `Decoders.read_size` and `size_of`.
        """
        if isinstance(source, Pixels):
            return size_of(source, max_pixels=self._max_pixels), 0.0
        try:
            async with opened(source) as (descriptor, file_bytes):
                return await self._decoders.read_size(descriptor, file_bytes)
        except OSError as error:
            raise _not_read(error) from error

    async def pixels(self, source: Source, size: Size) -> tuple[Tensor, float]:
        """[C,H,W] contiguous uint8 or uint16, see `decode` and `tensor_of`, and the duration in seconds.

        Raises the errors of `Decoders.read_pixels` and `tensor_of`.
        """
        if isinstance(source, Pixels):
            return await self._timed(lambda: tensor_of(source))
        try:
            async with opened(source) as (descriptor, file_bytes):
                array, decode_s = await self._decoders.read_pixels(descriptor, file_bytes, size)
        except OSError as error:
            raise _not_read(error) from error
        image = torch.from_numpy(array)
        if not self._pinned:
            return image, decode_s
        copied, copy_s = await self._timed(lambda: _pinned_if_possible(image))
        return copied, decode_s + copy_s

    async def _timed(self, work: Callable[[], T]) -> tuple[T, float]:
        def timed() -> tuple[T, float]:
            started = monotonic()
            return work(), monotonic() - started

        return await asyncio.get_running_loop().run_in_executor(self._threads, timed)


def _pinned_if_possible(image: Tensor) -> Tensor:
    try:
        return image.pin_memory()
    except RuntimeError:  # no more memory can be locked: the upload to the GPU copies these pixels once more
        return image


def _not_read(error: OSError) -> InsufficientMemory:
    return InsufficientMemory(f"the picture could not be handed to the process that reads it ({error}); try again")
