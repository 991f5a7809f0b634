"""Files that other processes may read or write at the same time: safe reading, atomic replacement, and locks."""

import errno
import hashlib
import os
import re
import shutil
import stat
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from io import BufferedReader
from pathlib import Path

if sys.platform != "win32":  # without fcntl nothing is locked, and files left by killed processes are not removed
    import fcntl


UNFINISHED = ".writing-"
"""The prefix of the names of directories that are being written."""

ABANDONED_S = 24 * 3600
"""Where no lock tells whether a writer lives, its directory is a leftover if nothing in it has changed for so long."""

KINDS = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFDIR: "a directory",
}


def open_regular(path: Path) -> BufferedReader:
    """Opens a regular file for reading, also through links; raises OSError.

    A pipe, socket, device or directory is refused, because opening or reading one may block for ever, never end, or
    have effects.
    """
    _require_regular(path, path.stat())
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    try:
        _require_regular(path, os.fstat(descriptor))  # it may have been replaced
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def _require_regular(path: Path, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        kind = KINDS.get(stat.S_IFMT(status.st_mode), "special")
        raise OSError(errno.EINVAL, f"it is {kind}, and no regular file", str(path))


def read_regular(path: Path, most_bytes: int) -> bytes:
    """The content of a regular file of at most `most_bytes`; raises OSError."""
    with open_regular(path) as file:
        content = file.read(most_bytes + 1)
        if len(content) > most_bytes:
            size = max(os.fstat(file.fileno()).st_size, len(content))
            raise OSError(errno.EFBIG, f"it has {size:,} bytes, and at most {most_bytes:,} are read", str(path))
    return content


def digest(path: Path) -> str:
    """The SHA-256 of a regular file, in hexadecimal; raises OSError."""
    with open_regular(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yields the path of a temporary file, which replaces `path` at the end of the `with` block.

    Creates the parent directory. If the machine stops at any time, `path` is the complete old file or the complete new
    one. After an error the old file stays. An OSError without a file name gets that of `path`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with naming(path), unfinished_directory(path.parent) as directory:
        temporary = directory / path.name
        yield temporary
        flush(temporary)
        temporary.replace(path)


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Adds `path` to an OSError without a file name: what a failed write raises, as on a full disk, names no file.

    torch raises a RuntimeError of its own after a failed write; it becomes the OSError that caused it.
    """
    try:
        yield
    except OSError as error:
        if error.errno is None or error.filename is not None:
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error
    except RuntimeError as error:
        cause = error.__context__
        if not isinstance(cause, OSError) or cause.errno is None:
            raise
        raise OSError(cause.errno, cause.strerror, str(path)) from error


@contextmanager
def unfinished_directory(parent: Path) -> Iterator[Path]:
    """Yields a new hidden directory in `parent`, and removes it at the end of the `with` block.

    It is locked meanwhile, so that `sweep` knows that its writer lives.
    """
    with ExitStack() as stack:
        directory = _new_directory(parent, stack)
        stack.callback(shutil.rmtree, directory, ignore_errors=True)
        yield directory


def _new_directory(parent: Path, stack: ExitStack) -> Path:
    while True:
        directory = Path(tempfile.mkdtemp(prefix=UNFINISHED, dir=parent))
        with suppress(FileNotFoundError), ExitStack() as locks:  # `sweep` may remove it before it is locked
            locks.enter_context(locked(directory, wait=True))
            directory.stat()
            stack.push(locks.pop_all())
            return directory


def sweep(parent: Path) -> list[Path]:
    """Removes the directories that killed writers left in `parent`, and returns them.

    Directories of living writers stay: their lock tells, or that of `parent`. On file systems without locks, the age
    tells. Errors are ignored: the leftovers do no harm, and the directory may be read-only.
    """
    removed = []
    with suppress(OSError), locked(parent, wait=False) as alone:
        for directory in sorted(parent.glob(f"{UNFINISHED}*")):
            with suppress(OSError), locked(directory, wait=False) as own:
                if (alone and own) or _age_s(directory) > ABANDONED_S:
                    shutil.rmtree(directory)
                    removed.append(directory)
    return removed


def _age_s(directory: Path) -> float:
    """The time since the last change in a directory, in seconds."""
    changes = [path.stat().st_mtime for path in (directory, *directory.rglob("*"))]
    return time.time() - max(changes)


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
