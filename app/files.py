"""Files that other processes may read or write at the same time: atomic replacement, and locks."""

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

if sys.platform != "win32":  # without fcntl nothing is locked, and files left by killed processes are not removed
    import fcntl


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yields the path of a temporary file beside `path`, which replaces `path` at the end of the `with` block.

    Creates the parent directory. If the machine stops at any time, `path` is the complete old file or the complete new
    one. After an error the old file stays.
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
    """Writes a file or directory to disk (fsync), so that after a crash no renamed file lacks its content."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def locked(path: Path, *, wait: bool) -> Iterator[bool]:
    """Locks an existing file or directory until the end of the `with` block; yields False where locks do not exist.

    The lock is the system's advisory one (flock): it ends with the process, and does not stop a process that does not
    lock. Some file systems and systems have none. Without `wait` raises BlockingIOError if another process, or another
    call in this process, holds the lock.
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
        os.close(descriptor)  # releases the lock


def said_of_files(message: str) -> str:
    """A message of a decoder in words for files. Decoders serve requests, too, in which pictures are sent."""
    for word, other in (("send", "give"), ("upload", "file")):
        message = re.sub(rf"\b{word}\b", other, message)
    return message
