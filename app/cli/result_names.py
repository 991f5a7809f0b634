"""Names of the files of watched pictures. Cameras choose names, and not every file system takes every name."""

import errno
import hashlib
import os
import re
import shutil
from pathlib import Path

from app.cli.results import targets
from app.files import replacing
from app.watching import Record

PROBLEM = ".problem.json"
"""The ending of the file that says why a picture has no result."""
OF_THE_NAME = {errno.ENAMETOOLONG, errno.EINVAL, errno.EILSEQ}
"""The numbers of the errors of file systems that do not take a name, because of its length or of its characters."""
STEM = 40
"""The characters that are kept of a name that the file system of the results does not take."""


def move(source: Path, target: Path) -> None:
    """Moves a file, also to another file system, to a free name beside `target`. Raises OSError."""
    place, number = target, 1
    while place.exists():
        number += 1
        place = target.with_stem(f"{target.stem}-{number}")
    place.parent.mkdir(parents=True, exist_ok=True)
    try:
        source.rename(place)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        with replacing(place) as temporary:
            shutil.copy2(source, temporary)
        source.unlink()


def plain_name(record: Record) -> str:
    """A name for the files of a picture that every file system takes, with the beginning of the picture's own."""
    own = hashlib.sha256(os.fsencode(record.name) + record.sha256.encode()).hexdigest()
    return f"{re.sub('[^A-Za-z0-9_-]', '_', Path(record.name).stem)[:STEM]}-{own[:16]}"


def write_problem(path: Path, text: str) -> None:
    """Writes why a picture has no result. `path` is that of its results, without suffix."""
    with replacing(path.with_name(path.name + PROBLEM)) as temporary:
        temporary.write_text(text)


def all_files(path: Path) -> tuple[Path, ...]:
    """The files that a picture may get whose results have this path, without suffix."""
    files = targets(path)
    return files.body, files.overlay, files.mask, path.with_name(path.name + PROBLEM)


def exists(path: Path) -> bool:
    """Whether there is such a file; false for a name that the file system does not take. Raises OSError."""
    try:
        return path.exists()
    except OSError as error:
        if error.errno not in OF_THE_NAME:
            raise
        return False
