"""Blocks and their distances as arrays, which Ray puts into its object store once, and maps where they are read."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from app.pipeline import Block, BlockPixels, MeasuredBlock
from app.scheduling.work import Finished

Array = NDArray[Any]


@dataclass(frozen=True, slots=True)
class SentPixels:
    """A block and its pixels [C,h,w], see BlockPixels."""

    block: Block
    pixels: Array
    white: float
    place: tuple[int, int]

    @classmethod
    def of(cls, block: BlockPixels) -> "SentPixels":
        """Copies the pixels out of the rows of the picture: only contiguous arrays are stored without another copy."""
        return cls(block.block, _array(block.pixels), block.white, (block.first_row, block.first_column))

    def received(self) -> BlockPixels:
        """The block in this process; its pixels stay where they are."""
        return BlockPixels(self.block, _tensor(self.pixels), self.white, *self.place)


@dataclass(frozen=True, slots=True)
class SentDistances:
    """What an engine measured of a block, see MeasuredBlock and Finished."""

    distances: tuple[Array, ...]
    score_inputs: tuple[tuple[Array, ...], ...]
    device_s: float

    @classmethod
    def of(cls, done: Finished[MeasuredBlock]) -> "SentDistances":
        """Waits for the device."""
        found = done.outcome
        inputs = tuple(tuple(map(_array, each)) for each in found.score_inputs)
        return cls(tuple(map(_array, found.distances)), inputs, done.device_s)

    def received(self, block: Block) -> Finished[MeasuredBlock]:
        """The measured block in this process."""
        inputs = [tuple(map(_tensor, each)) for each in self.score_inputs]
        return Finished(MeasuredBlock(block, tuple(map(_tensor, self.distances)), inputs), self.device_s)


class _Mapped:
    """An array as writable memory: arrays in Ray's store are read-only, of which torch warns. Nothing writes there."""

    def __init__(self, array: Array) -> None:
        self._array = array  # keeps the memory mapped
        address: Mapping[str, Any] = {"data": (array.ctypes.data, False)}
        self.__array_interface__ = {**array.__array_interface__, **address}


def _array(tensor: Tensor) -> Array:
    return np.asarray(tensor.cpu().numpy(), order="C")


def _tensor(array: Array) -> Tensor:
    return torch.from_numpy(np.asarray(_Mapped(array)))
