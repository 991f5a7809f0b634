"""A file that consists of parts of other bytes, without a copy of them."""

import io
from collections.abc import Sequence


class Parts(io.RawIOBase):
    """A readable file of several parts, one after the other. Not for several threads at once."""

    def __init__(self, parts: Sequence[bytes | memoryview]) -> None:
        self._parts = [memoryview(part) for part in parts]
        self._starts = [sum(map(len, self._parts[:index])) for index in range(len(parts) + 1)]
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        origin = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._starts[-1]}[whence]
        self._position = max(0, origin + offset)
        return self._position

    def read(self, size: int | None = -1) -> bytes:
        end = self._starts[-1] if size is None or size < 0 else min(self._position + size, self._starts[-1])
        found = b"".join(
            part[max(self._position - start, 0) : max(end - start, 0)]
            for start, part in zip(self._starts, self._parts, strict=False)
        )
        self._position = max(self._position, end)
        return found
