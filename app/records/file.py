"""The files of the record: one that is appended to, and a limited number of earlier ones."""

import os
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

_BLOCK = 2**16


class RecordFile:
    """Appends whole lines to a file. Used by one thread at a time.

    A file that would exceed `most_bytes`, or whose day (UTC) is over, is renamed to `NAME.TIME.NUMBER.ENDING`, and a
    new one is begun. The newest `most_files` files are kept, the current one included. The folder is not made: a file
    system that is not mounted must not be replaced by a folder on another one.
    """

    def __init__(self, path: Path, head: bytes, most_bytes: int, most_files: int) -> None:
        self._path, self._head = path, head
        self._most_bytes, self._most_files = most_bytes, most_files
        self._descriptor: int | None = None
        self._size, self._day = 0, ""

    def open(self, at_s: float) -> None:
        """Opens or makes the file, unless it is open; raises OSError. `at_s` is the time since 1970."""
        if self._descriptor is None:
            self._open(_day(at_s))

    def append(self, lines: bytes, at_s: float) -> None:
        """Writes whole lines to the disk, all or none; raises OSError. `at_s` is the time since 1970."""
        day = _day(at_s)
        if self._descriptor is not None and not self._is_in_place():
            self.close()
        self.open(at_s)
        full = self._size > len(self._head) and self._size + len(lines) > self._most_bytes
        if full or day > self._day:
            self._rotate(at_s)
            self._open(day)
        self._write(lines)

    def close(self) -> None:
        """Closes the current file; the next line opens it again."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _is_in_place(self) -> bool:
        """Whether the open file still has its name: other programs may have moved or removed it."""
        assert self._descriptor is not None
        try:
            return os.path.samestat(os.fstat(self._descriptor), self._path.stat())
        except FileNotFoundError:
            return False

    def _open(self, day: str) -> None:
        """Opens or makes the file. Cuts off a last line that a crash left without its end."""
        self._descriptor = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
        try:
            status = os.fstat(self._descriptor)
            self._size = _end_of_lines(self._descriptor, status.st_size)
            if self._size < status.st_size:
                os.ftruncate(self._descriptor, self._size)
            self._day = _day(status.st_mtime) if self._size else day
            if not self._size and self._head:
                self._write(self._head)
        except OSError:
            self.close()
            raise

    def _write(self, data: bytes) -> None:
        assert self._descriptor is not None
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(self._descriptor, view) :]
            os.fdatasync(self._descriptor)
        except OSError:
            with suppress(OSError):
                os.ftruncate(self._descriptor, self._size)
            self.close()  # the next attempt reads the size anew
            raise
        self._size += len(data)

    def _rotate(self, at_s: float) -> None:
        self.close()
        stamp = _utc(at_s).strftime("%Y-%m-%dT%H-%M-%S")
        number = 0
        while (earlier := self._path.with_suffix(f".{stamp}.{number:03d}{self._path.suffix}")).exists():
            number += 1
        self._path.rename(earlier)
        for path in self._earlier()[: -(self._most_files - 1) or None]:
            path.unlink(missing_ok=True)

    def _earlier(self) -> list[Path]:
        """The earlier files, the oldest first."""
        pattern = f"{self._path.stem}.????-??-??T??-??-??.???{self._path.suffix}"
        return sorted(self._path.parent.glob(pattern))


def _end_of_lines(descriptor: int, size: int) -> int:
    """The size of the file up to the end of its last whole line."""
    end = size
    while end:
        start = max(0, end - _BLOCK)
        found = os.pread(descriptor, end - start, start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        end = start
    return 0


def _day(at_s: float) -> str:
    return _utc(at_s).strftime("%Y-%m-%d")


def _utc(at_s: float) -> datetime:
    return datetime.fromtimestamp(at_s, UTC)
