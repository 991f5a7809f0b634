"""Detects that files have changed without reading them."""

from pathlib import Path

from app.artifacts.certificate import CERTIFICATE
from app.artifacts.manifest import GOLDEN, MANIFEST, WEIGHTS

Fingerprint = tuple[tuple[int, ...], ...]


def fingerprint(directory: Path) -> Fingerprint:
    """For each file of an artifact its inode, size and times, or the errno. Changes whenever a file changes.

    The times include the inode's change time (ctime), which programs cannot set. They can set the modification time of
    the contents, as `cp -p` does.
    """
    return tuple(_of_file(directory / file) for file in (MANIFEST, WEIGHTS, GOLDEN, CERTIFICATE))


def _of_file(path: Path) -> tuple[int, ...]:
    try:
        status = path.stat()
    except OSError as error:
        return (error.errno or -1,)
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
