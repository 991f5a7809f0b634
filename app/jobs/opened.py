"""Files below the folder that the operator opened for jobs."""

import os
import stat
from contextlib import ExitStack
from pathlib import Path, PurePosixPath

from app.errors import InvalidPath
from app.files import KINDS
from app.shown import shown


def open_below(root: Path, path: str) -> int:
    """The descriptor of a regular file below `root`; raises InvalidPath.

    Each part of the path is opened in the one before, and links are not followed, so that nothing outside can be
    reached, also not by exchanging parts meanwhile.
    """
    parts = PurePosixPath(path).parts
    if not parts or "\0" in path or path.startswith("/") or ".." in parts:
        raise InvalidPath(
            f"the path {shown(path)} leaves the opened folder; give a path below it, such as lot-7/picture.tif"
        )
    with ExitStack() as opened:
        try:
            folder = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
            opened.callback(os.close, folder)
            for part in parts[:-1]:
                folder = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=folder)
                opened.callback(os.close, folder)
            descriptor = os.open(parts[-1], os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
        except OSError as error:
            raise InvalidPath(
                f"the file {shown(path)} cannot be opened ({error.strerror}); give a file in the opened folder, and no "
                "link"
            ) from error
    kind = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(kind):
        os.close(descriptor)
        raise InvalidPath(f"{shown(path)} is {KINDS.get(stat.S_IFMT(kind), 'special')}; give a regular file")
    return descriptor
