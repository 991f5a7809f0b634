"""Arrays that grow on disk."""

import mmap
from pathlib import Path
from tempfile import TemporaryFile, gettempdir
from typing import Generic, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from app.files import naming

T = TypeVar("T", bound=np.generic)


class DiskArray(Generic[T]):
    """A growing array of one dimension in an unnamed file, which is deleted when the array is closed.

    directory: where the file is; None: the system's directory for temporary files

    `read` maps the file into memory. The system reclaims that memory when it needs it.
    """

    def __init__(self, dtype: type[T], directory: Path | None = None) -> None:
        self._dtype, self._length = dtype, 0
        self._directory = Path(gettempdir()) if directory is None else directory
        self._file = TemporaryFile(dir=directory, buffering=0)  # noqa: SIM115 - closed with the array

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def append(self, values: NDArray[T]) -> slice:
        """Appends values, [n], and returns their slice of the array; raises OSError that names the directory."""
        start, self._length = self._length, self._length + len(values)
        left = memoryview(np.ascontiguousarray(values).data).cast("B") if len(values) else memoryview(b"")
        with naming(self._directory):
            while left:
                left = left[self._file.write(left) :]
        return slice(start, self._length)

    def read(self) -> NDArray[T]:
        """All appended values, [n], read-only."""
        if not self._length:
            return np.empty(0, self._dtype)
        return np.frombuffer(mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_READ), self._dtype)
