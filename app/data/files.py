"""Finds picture files by their suffix, in folders as they are: with links, and with files of other programs."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from app.data.left_out import LeftOut, is_hidden
from app.data.result_mark import is_result
from app.errors import InvalidDataset

SUFFIXES = {".avif", ".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"}


@dataclass(frozen=True, slots=True)
class Listing:
    """The pictures below some folders.

    found: each picture with the folder of those given that it was found in, sorted
    left_out: what else is there
    """

    found: list[tuple[Path, Path]]  # picture, folder
    left_out: LeftOut

    @property
    def pictures(self) -> list[Path]:
        """The pictures, sorted by path."""
        return [path for path, _ in self.found]


def list_pictures(folders: Sequence[Path], depth: int | None = None, *, results: bool = False) -> Listing:
    """The pictures below the folders, at most `depth` folders down; None: at any depth.

    Hidden files and folders below a folder are left out; the folder itself, and the folders above it, may be hidden.
    Links to folders are followed. A folder is read once, even if several links lead to it or a link leads to a folder
    above; the path without a link is preferred. Without `results`, pictures that `tessera predict` wrote are left out.
    Raises InvalidDataset if a folder does not exist or cannot be read.
    """
    walk = _Walk(results)
    for folder in folders:
        if not folder.is_dir():
            raise InvalidDataset(f"there is no folder {folder}")
        walk.read(_Branch(folder, folder, depth))
    walk.follow_links()
    parts = (sorted(walk.hidden), sorted(walk.repeated), sorted(walk.results), sorted(walk.misplaced))
    return Listing(sorted(walk.found), LeftOut(*map(tuple, parts)))


def require_pictures(folders: Sequence[Path], depth: int | None = None) -> list[Path]:
    """The pictures of `list_pictures`; raises InvalidDataset if one of the folders has none."""
    return _none_empty(folders, list_pictures(folders, depth)).pictures


def pictures_in(paths: Sequence[Path]) -> tuple[dict[Path, Path], LeftOut]:
    """The pictures of `paths`, which are files and folders, each with its name; and the files that are left out.

    The name is the path relative to the folder, without suffix. A file is taken whatever its name is, unless it is a
    result of `tessera predict`. Raises InvalidDataset if a folder has no pictures, or if all files are results.
    """
    folders = [path for path in paths if path.is_dir()]
    files = [path for path in paths if path not in folders]
    listed = _none_empty(folders, list_pictures(folders))
    results = tuple(path for path in files if is_result(path))
    found = {path: path.relative_to(folder).with_suffix("") for path, folder in listed.found}
    found |= {path: Path(path.stem) for path in files if path not in results and path not in found}
    if results and not found:
        raise InvalidDataset(f"{results[0]} is a result of tessera predict, as all of these files are; give pictures")
    return found, listed.left_out + LeftOut(results=results)


def _none_empty(folders: Sequence[Path], listed: Listing) -> Listing:
    """The listing; raises InvalidDataset if one of its folders has no pictures."""
    filled = {parent for path in listed.pictures for parent in path.parents}
    for folder in folders:
        if folder not in filled:
            note = listed.left_out.note
            raise InvalidDataset(
                f"{folder} holds no pictures; those with {', '.join(sorted(SUFFIXES))} are taken"
                + (f" ({note})" if note else "")
            )
    return listed


@dataclass(frozen=True, slots=True)
class _Branch:
    """A folder to read, the folder among those given that it lies in, and how many folders down to read."""

    path: Path
    folder: Path
    depth: int | None


@dataclass(slots=True)
class _Walk:
    """Reads folders, each once, and collects what they hold."""

    take_results: bool
    found: list[tuple[Path, Path]] = field(default_factory=list)
    hidden: list[Path] = field(default_factory=list)
    repeated: list[Path] = field(default_factory=list)
    results: list[Path] = field(default_factory=list)
    misplaced: list[Path] = field(default_factory=list)
    _links: list[_Branch] = field(default_factory=list)
    _read: dict[str, Path] = field(default_factory=dict)  # by the path without links

    def follow_links(self) -> None:
        """Reads the folders that links lead to, also links in those."""
        while self._links:
            self._links.sort(key=lambda branch: branch.path, reverse=True)
            branch = self._links.pop()
            self.read(branch)

    def read(self, branch: _Branch) -> None:
        """Reads a folder and its subfolders, and remembers links to folders for later."""
        waiting = [branch]
        while waiting:
            each = waiting.pop()
            real = os.path.realpath(each.path)
            before = self._read.setdefault(real, each.path)
            if before is each.path:
                waiting += self._entries(each)
            elif before != each.path:
                self.repeated.append(each.path)

    def _entries(self, branch: _Branch) -> Iterator[_Branch]:
        """Collects the files of a folder, and yields its subfolders."""
        for entry in _scan(branch.path):
            path = branch.path / entry.name
            is_folder, is_picture = _is_folder(entry), path.suffix.lower() in SUFFIXES
            if is_hidden(entry.name):
                if is_folder or is_picture:
                    self.hidden.append(path)
            elif is_folder:
                if branch.depth == 0:
                    self.misplaced.append(path)
                    continue
                below = _Branch(path, branch.folder, None if branch.depth is None else branch.depth - 1)
                if entry.is_symlink():
                    self._links.append(below)
                else:
                    yield below
            elif is_picture and _is_file(entry):
                self._take(path, branch.folder)

    def _take(self, path: Path, folder: Path) -> None:
        if not self.take_results and is_result(path):
            self.results.append(path)
        else:
            self.found.append((path, folder))


def _scan(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError as error:
        raise InvalidDataset(f"the folder {folder} cannot be read: {error.strerror}") from error


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself, or into a folder that may not be read
        return False


def _is_file(entry: os.DirEntry[str]) -> bool:
    """Whether the entry is a file, or a link that leads nowhere, which a reader reports; not a pipe or a device."""
    try:
        return entry.is_file() or (entry.is_symlink() and not Path(entry).exists())
    except OSError:
        return True
