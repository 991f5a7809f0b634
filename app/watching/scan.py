"""The pictures in a watched folder at one moment."""

import os
import stat
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

from app.data import SUFFIXES, is_hidden, is_result


@dataclass(frozen=True, slots=True)
class Seen:
    """A picture file as it was seen: its path below the folder, its bytes, and the time of its last change."""

    name: str
    size: int
    mtime_ns: int


@dataclass(frozen=True, slots=True)
class Scan:
    """The pictures below a folder, the oldest first, and the errors of the folders below it that cannot be read."""

    pictures: list[Seen] = field(default_factory=list)
    unreadable: dict[Path, OSError] = field(default_factory=dict)


def scan(folder: Path, left_out: Collection[Path] = ()) -> Scan:
    """Finds the pictures below a folder. Raises OSError if the folder itself cannot be read.

    Hidden files and folders, links to folders, results of `tessera predict`, and the folders `left_out` (without links)
    are passed over. A file that vanishes meanwhile is none.
    """
    found, waiting = Scan(), [folder]
    while waiting:
        current = waiting.pop()
        try:
            entries = list(os.scandir(current))
        except OSError as error:
            if current == folder:
                raise
            if not isinstance(error, FileNotFoundError):
                found.unreadable[current] = error
            continue
        for entry in entries:
            path = current / entry.name
            if is_hidden(entry.name):
                continue
            try:
                if entry.is_dir(follow_symlinks=False):
                    if path.resolve() not in left_out:
                        waiting.append(path)
                    continue
                if path.suffix.lower() not in SUFFIXES or is_result(path):
                    continue
                status = entry.stat()
            except OSError:
                continue
            if stat.S_ISREG(status.st_mode):
                found.pictures.append(Seen(path.relative_to(folder).as_posix(), status.st_size, status.st_mtime_ns))
    found.pictures.sort(key=lambda seen: (seen.mtime_ns, seen.name))
    return found
