"""Memory for rows of pictures, apart from the heap."""

from math import prod
from mmap import MAP_ANONYMOUS, MAP_PRIVATE, mmap
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

APART_BYTES = 2**23
"""Smaller arrays lie in the heap."""

Number = TypeVar("Number", bound=np.generic)


def apart(shape: tuple[int, ...], dtype: type[Number]) -> NDArray[Number]:
    """An array without values, for rows of a picture, which live while many other arrays come and go.

    If it is large, its memory is its own, and is given back when it is freed. In the heap, free memory between arrays
    that live longer falls into pieces too small for the next ones, so that the heap would grow with the height of the
    picture. New memory costs about a quarter of a millisecond per megabyte: too much for the features of each batch.
    """
    size = prod(shape) * np.dtype(dtype).itemsize
    if size < APART_BYTES:
        return np.empty(shape, dtype)
    return np.frombuffer(mmap(-1, size, MAP_PRIVATE | MAP_ANONYMOUS), dtype).reshape(shape)
