"""The file of a picture after its request has ended."""

import os
from typing import Self

from app.service.source import Upload


class HeldFile:
    """The bytes of a file: in memory, or a descriptor of a temporary file without a name. Call `close` at the end."""

    def __init__(self, content: bytes | int, size: int) -> None:
        self._content, self.size = content, size

    @classmethod
    def of(cls, source: bytes | Upload) -> Self:
        """Takes no time that depends on the size of the file, unless it is in memory. Raises OSError."""
        if isinstance(source, bytes):
            return cls(source, len(source))
        source.file.seek(0)  # writes what is buffered
        if getattr(source.file, "_rolled", True):
            descriptor = os.dup(source.file.fileno())
            return cls(descriptor, os.fstat(descriptor).st_size)
        content = source.file.read()
        return cls(content, len(content))

    def read(self) -> bytes:
        """The whole file. Raises OSError."""
        if isinstance(self._content, bytes):
            return self._content
        pieces, at = [], 0
        while at < self.size and (piece := os.pread(self._content, self.size - at, at)):
            pieces.append(piece)
            at += len(piece)
        return b"".join(pieces)

    def close(self) -> None:
        if isinstance(self._content, int):
            os.close(self._content)
            self._content = b""
