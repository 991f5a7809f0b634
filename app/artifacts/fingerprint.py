"""Telling that files have changed without reading them."""

from pathlib import Path

from app.artifacts.manifest import GOLDEN, MANIFEST, WEIGHTS

Fingerprint = tuple[tuple[int, ...], ...]


def fingerprint(directory: Path) -> Fingerprint:
    """Inode, size and times of an artifact's files, or why there are none; it changes whenever one of them does.

    The time of the last change of the inode is one of them: nobody can set it back, as copying with `-p` does with the
    time of the contents.
    """
    return tuple(_of_file(directory / file) for file in (MANIFEST, WEIGHTS, GOLDEN))


def _of_file(path: Path) -> tuple[int, ...]:
    try:
        status = path.stat()
    except OSError as error:
        return (error.errno or -1,)
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
