"""The pictures in a watched folder at one moment."""

import os
import stat
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from app.data import SUFFIXES, is_hidden, is_result


@dataclass(frozen=True, slots=True)
class Seen:
    """A picture file as it was seen: its path below the folder, its bytes, and the time of its last change."""

    name: str
    size: int
    mtime_ns: int


def scan(folder: Path, left_out: Collection[Path] = ()) -> list[Seen]:
    """The pictures below a folder, the oldest first. Raises OSError if the folder cannot be read.

    Hidden files and folders, links to folders, results of `tessera predict`, and the folders `left_out` (without links)
    are passed over. A file that vanishes meanwhile is none.
    """
    found, waiting = [], [folder]
    while waiting:
        current = waiting.pop()
        try:
            entries = list(os.scandir(current))
        except FileNotFoundError:
            if current == folder:
                raise
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
                found.append(Seen(path.relative_to(folder).as_posix(), status.st_size, status.st_mtime_ns))
    return sorted(found, key=lambda seen: (seen.mtime_ns, seen.name))
