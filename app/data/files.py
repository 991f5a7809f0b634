"""Finds picture files by their suffix."""

from collections.abc import Iterable
from pathlib import Path

from app.errors import InvalidDataset

SUFFIXES = {".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"}


def pictures_in(path: Path) -> list[tuple[Path, Path]]:
    """The picture `path`, or all pictures below the folder `path`, each with its name.

    The name is the path relative to the folder, without suffix.
    """
    if path.is_dir():
        return [(found, found.relative_to(path).with_suffix("")) for found in find_pictures(path, path.rglob("*"))]
    return [(path, Path(path.stem))]


def find_pictures(folder: Path, candidates: Iterable[Path]) -> list[Path]:
    """The candidates that have the suffix of a picture, sorted.

    Raises InvalidDataset if there are none, or if `folder` does not exist.
    """
    if not folder.is_dir():
        raise InvalidDataset(f"there is no folder {folder}")
    found = sorted(path for path in candidates if path.suffix.lower() in SUFFIXES)
    if not found:
        raise InvalidDataset(f"{folder} holds no pictures; those with {', '.join(sorted(SUFFIXES))} are taken")
    return found
