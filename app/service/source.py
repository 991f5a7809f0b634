"""A picture as received: a file, or its pixels as numbers."""

import hashlib
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from app.decoders.shared_memory import file_of
from app.decoding.limits import check_pixels
from app.errors import InsufficientMemory, InvalidImage
from app.tiling import Size

Values = npt.NDArray[np.uint8 | np.uint16 | np.float32]

_WHITE_16 = 65535


@dataclass(frozen=True, slots=True)
class Pixels:
    """Numbers [C,H,W], C = 1 (grey) or 3 (RGB): integers as in a picture, or floats in [0, `white`].

    May be a view of a request's body, in any order of axes.
    """

    values: Values
    white: float = 1.0


@dataclass(frozen=True, slots=True)
class Upload:
    """An uploaded picture file, in memory or on disk, and its name, as the client gave it, which may be empty."""

    file: BinaryIO
    name: str = ""

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[tuple[int, int]]:
        """The descriptor of the file, and its size in bytes. A file in memory is copied."""
        self.file.seek(0)  # writes what is buffered
        if getattr(self.file, "_rolled", True):  # the method fileno would move a SpooledTemporaryFile to the disk
            descriptor = self.file.fileno()
            yield descriptor, os.fstat(descriptor).st_size
            return
        data = self.file.read()
        async with file_of(data) as descriptor:
            yield descriptor, len(data)


Source = bytes | Upload | Pixels


@asynccontextmanager
async def opened(source: bytes | Upload) -> AsyncIterator[tuple[int, int]]:
    """The descriptor of a picture's file, and its size in bytes. Raises InvalidImage for an empty file."""
    async with source.opened() if isinstance(source, Upload) else _in_memory(source) as (descriptor, size):
        if not size:
            raise InvalidImage("the picture is empty; send the bytes of one")
        yield descriptor, size


@asynccontextmanager
async def _in_memory(data: bytes) -> AsyncIterator[tuple[int, int]]:
    async with file_of(data) as descriptor:
        yield descriptor, len(data)


def size_of(pixels: Pixels, *, max_pixels: int) -> Size:
    """Height and width. Raises InvalidImage for an empty picture, and TooManyPixels."""
    _, height, width = pixels.values.shape
    if not height * width:
        raise InvalidImage(f"the picture has {width} x {height} pixels; send at least one")
    check_pixels(height, width, max_pixels)
    return height, width


def tensor_of(pixels: Pixels) -> Tensor:
    """[C,H,W] contiguous uint8 or uint16; floats are rounded to 16 bits, like the floats of a TIFF.

    Raises InvalidImage for floats that are not in [0, `white`], and InsufficientMemory.
    """
    try:
        return torch.from_numpy(_integers(pixels))
    except MemoryError as error:
        raise InsufficientMemory("There is not enough memory for this picture; send a smaller one") from error


def size_in_bytes(source: Source) -> int:
    """The bytes of a picture's file, or of its numbers."""
    if isinstance(source, Upload):
        source.file.seek(0, os.SEEK_END)
        return source.file.tell()
    return source.values.nbytes if isinstance(source, Pixels) else len(source)


def digest_of(source: Source) -> str:
    """The SHA-256 of a picture's file, or of its numbers [C,H,W] as they were received, in C order; hexadecimal."""
    if isinstance(source, Upload):
        source.file.seek(0)
        return hashlib.file_digest(source.file, "sha256").hexdigest()  # type: ignore[arg-type]  # it is read only
    if isinstance(source, bytes):
        return hashlib.sha256(source).hexdigest()
    digest = hashlib.sha256()
    for channel in source.values:
        digest.update(np.ascontiguousarray(channel).data)
    return digest.hexdigest()


def _integers(pixels: Pixels) -> npt.NDArray[np.uint8 | np.uint16]:
    values = pixels.values
    if values.dtype != np.float32:
        return np.array(values, order="C")
    rounded = np.empty(values.shape, np.uint16)
    for channel, out in zip(values, rounded, strict=True):  # one channel at a time: float32 takes twice the memory
        _check_range(channel, pixels.white)
        scaled = channel * np.float32(_WHITE_16 / pixels.white)
        np.rint(scaled, out=scaled)
        out[...] = scaled
    return rounded


def _check_range(channel: npt.NDArray[np.generic], white: float) -> None:
    lowest, highest = float(channel.min()), float(channel.max())
    if not (np.isfinite(lowest) and np.isfinite(highest)):
        raise InvalidImage("the picture has values that are no finite numbers (NaN or infinity); replace them")
    if lowest < 0 or highest > np.float32(white):
        raise InvalidImage(
            f"the picture has values from {lowest:g} to {highest:g}, and its floats must lie in [0, {white:g}]; "
            "scale them, or say which value is white (255 for floats made of 8-bit pixels)"
        )
