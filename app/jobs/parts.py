"""A part of an upload: the bytes of one request."""

import os
from collections.abc import Callable

from app.errors import InsufficientStorage, UploadConflict


class Part:
    """Writes the bytes of a request behind those that came before.

    `close` makes them durable, also those of a request that broke off, and calls `stored` with their number. Each call
    may block.
    """

    def __init__(self, descriptor: int, offset: int, most: int, stored: Callable[[int], None]) -> None:
        self._descriptor, self._offset, self._most, self._stored = descriptor, offset, most, stored
        self._written = 0

    def write(self, data: bytes) -> None:
        """Raises UploadConflict for bytes beyond the picture's length, and InsufficientStorage."""
        if self._written + len(data) > self._most:
            raise UploadConflict(
                f"the part has more than the {self._most:,} bytes that are left of the picture; send those only"
            )
        rest = memoryview(data)
        try:
            while rest:
                count = os.pwrite(self._descriptor, rest, self._offset + self._written)
                self._written, rest = self._written + count, rest[count:]
        except OSError as error:
            raise InsufficientStorage(
                f"the part cannot be stored: {error.strerror}; go on when there is room, where HEAD says"
            ) from error

    def close(self) -> None:
        """Ends the part; raises InsufficientStorage if the disk fails: then none of its bytes count."""
        try:
            os.fsync(self._descriptor)
        except OSError as error:
            self._written = 0
            raise InsufficientStorage(f"the part cannot be stored: {error.strerror}; send it again") from error
        finally:
            os.close(self._descriptor)
            self._stored(self._written)
