"""Memory that two processes share: a file in memory, whose descriptor one process sends to the other.

Unlike POSIX shared memory, such a file has no name that could be left behind, and does not count towards the size of
/dev/shm, which is 64 MiB in containers by default.
"""

import asyncio
import fcntl
import mmap
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from math import prod

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.uint8 | np.uint16]
Shape = tuple[int, int, int]

DTYPES: dict[str, type[np.uint8] | type[np.uint16]] = {"uint8": np.uint8, "uint16": np.uint16}
_PIECE_BYTES = 2**20
COPIED_BYTES = 2**20
"""Smaller arrays are copied: a mapping keeps a descriptor, and a server can hold many small pictures."""


@asynccontextmanager
async def file_of(data: bytes) -> AsyncIterator[int]:
    """The descriptor of a file in memory with this content, which is written in pieces, so that no event loop waits."""
    descriptor = os.memfd_create("tessera-upload")
    try:
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(descriptor, rest[:_PIECE_BYTES]) :]
            if rest:
                await asyncio.sleep(0)
        yield descriptor
    finally:
        os.close(descriptor)


def new_array(shape: Shape, dtype: type[np.uint8] | type[np.uint16]) -> tuple[Array, int]:
    """A new array in shared memory, and the descriptor of its file."""
    size = prod(shape) * np.dtype(dtype).itemsize
    descriptor = os.memfd_create("tessera-pixels", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        os.ftruncate(descriptor, size)
        return _mapped(descriptor, size, shape, dtype), descriptor
    except BaseException:
        os.close(descriptor)
        raise


def array_of(descriptor: int, shape: Shape, dtype: type[np.uint8] | type[np.uint16]) -> Array:
    """The array of another process: the same memory, or a copy if it is small. The descriptor stays open.

    Raises ValueError if the file has another size, and OSError if it cannot be mapped. The file is sealed first: if
    another process could shorten it, reading the mapping would kill this process (SIGBUS).
    """
    fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW)
    size = prod(shape) * np.dtype(dtype).itemsize
    if os.fstat(descriptor).st_size != size:
        raise ValueError(f"the file of an array of {size} bytes has another size")
    if size > COPIED_BYTES:
        return _mapped(descriptor, size, shape, dtype)
    copied: Array = np.empty(shape, dtype)
    os.preadv(descriptor, [copied.data], 0)
    return copied


def _mapped(descriptor: int, size: int, shape: Shape, dtype: type[np.uint8] | type[np.uint16]) -> Array:
    mapped: Array = np.ndarray(shape, dtype, mmap.mmap(descriptor, size))
    return mapped
