"""Files that others may read or write at the same time: replaced as a whole, and locked."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

if sys.platform != "win32":  # nothing is locked there, and what killed processes left is not removed
    import fcntl


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A file beside `path` to write, which takes its place at the end of the `with` block.

    A machine that stops at any time leaves the old file or the new one, whole. After an error the old one stays.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        yield temporary
        flush(temporary)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def flush(path: Path) -> None:
    """Asks the system to write a file or directory to disk, so that a rename never outlives what it renamed."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def locked(path: Path, *, wait: bool) -> Iterator[bool]:
    """Locks a file or directory that exists until the end of the `with` block; yields False where there are no locks.

    The lock is the system's (flock): it ends with the process, and only those who ask for it see it. Some file systems
    and systems have none. Without `wait` raises BlockingIOError if another process, or another part of this one, has
    it.
    """
    if sys.platform == "win32":
        yield False
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            raise
        except OSError:
            yield False
        else:
            yield True
    finally:
        os.close(descriptor)  # which unlocks
