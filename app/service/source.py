"""A picture as received: a file, or its pixels as numbers."""

from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from app.decoding import decode, read_header
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
    """An uploaded picture file, in memory or on disk. Only one thread at a time may read it."""

    file: BinaryIO

    def read(self) -> bytes:
        """The whole file, read from its beginning at each call."""
        self.file.seek(0)
        return self.file.read()


Source = bytes | Upload | Pixels


def read_size(source: Source, *, max_pixels: int) -> Size:
    """Height and width of the upright picture, without decoding it.

    Raises InvalidImage for an empty picture, TooManyPixels, and the errors of `read_header`.
    """
    if isinstance(source, Pixels):
        _, height, width = source.values.shape
        if not height * width:
            raise InvalidImage(f"the picture has {height} x {width} pixels; send at least one")
        check_pixels(height, width, max_pixels)
        return height, width
    data = _data(source)
    if not data:
        raise InvalidImage("the picture is empty; send the bytes of one")
    header = read_header(data, max_pixels=max_pixels)
    return header.height, header.width


def read_pixels(source: Source, *, max_pixels: int, pinned: bool = False) -> Tensor:
    """[C,H,W] contiguous uint8 or uint16, see `decode`; floats are rounded to 16 bits, like the floats of a TIFF.

    With `pinned`, the pixels of a file are in pinned memory, from which a GPU copies asynchronously.

    Raises the errors of `decode`, and InvalidImage for floats that are not in [0, `white`].
    """
    if not isinstance(source, Pixels):
        return decode(_data(source), max_pixels=max_pixels, pinned=pinned)
    try:
        return torch.from_numpy(_integers(source))
    except MemoryError as error:
        raise InsufficientMemory("There is not enough memory for this picture; send a smaller one") from error


def _data(source: bytes | Upload) -> bytes:
    return source.read() if isinstance(source, Upload) else source


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
