"""The place of a record: checked before a server starts, and used by one process."""

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from app.errors import InvalidRecord
from app.files import locked

ROOM_BYTES = 2**16
"""The room on the disk that a start needs."""
_HELP = {
    errno.ENOSPC: "make room on its disk, or name a file on another one",
    errno.EDQUOT: "raise the quota of the server's user, or name a file on another disk",
    errno.EROFS: "the file system is read-only: name a file on another one",
}


@contextmanager
def claimed(path: Path) -> Iterator[None]:
    """Checks that a record can be written, and keeps it from other processes until the end of the `with` block.

    The lock is a file of its own beside the record, `.NAME.lock`, because the record is renamed when a new file begins.
    Where the file system has no locks, nothing is kept from other processes. Raises InvalidRecord.
    """
    path = path.resolve()  # two names of one file are one record
    folder = path.parent
    if not folder.is_dir():
        raise _invalid(path, f"{folder} is not a directory, or is not there; make it, or name another file")
    if path.is_dir():
        raise _invalid(path, f"it is a directory; name a file in it, such as {path / 'verdicts.csv'}")
    if path.exists() and not path.is_file():
        raise _invalid(path, "it is no regular file; name another one")
    lock = folder / f".{path.name}.lock"
    with ExitStack() as stack:
        try:
            lock.touch(0o644)
            stack.enter_context(locked(lock, wait=False))
            _require_room(folder)
        except BlockingIOError as error:
            raise _invalid(path, "another process writes it; give each server a file of its own") from error
        except OSError as error:
            raise invalid_record(path, error) from error
        yield


def invalid_record(path: Path, error: OSError) -> InvalidRecord:
    """The error of a record that the system refuses to write."""
    help_ = _HELP.get(error.errno or 0, f"let the server's user write to {path.resolve().parent}, or name another file")
    return _invalid(path, f"{error.strerror or error}; {help_}")


def _require_room(folder: Path) -> None:
    """Raises OSError unless new files can be written: a record needs them each day."""
    with tempfile.TemporaryFile(dir=folder) as file:
        file.write(bytes(ROOM_BYTES))
        file.flush()
        os.fsync(file.fileno())


def _invalid(path: Path, reason: str) -> InvalidRecord:
    return InvalidRecord(f"the record of verdicts (verdict_record) {path} cannot be written: {reason}")
