"""The folder of fetched versions, `CACHE/REPOSITORY/NAME/VERSION/`, has a limit."""

from contextlib import suppress
from pathlib import Path

from app.artifacts.repository import directories, version_directories
from app.files import locked, unfinished_directory


def make_room(cache: Path, version: Path, needed: int, most_bytes: int) -> bool:
    """Removes the versions that were not used for longest, until `version` may take `needed` bytes.

    Returns whether it may. Versions that are being read stay.
    """
    models = [model for repository in directories(cache) for model in directories(repository)]
    others = [other for model in models for other in version_directories(model) if other != version]
    sizes = {other: _bytes_of(other) for other in others}
    excess = sum(sizes.values()) + needed - most_bytes
    if needed > most_bytes:
        return False
    for other in sorted(sizes, key=_last_use):
        if excess > 0 and discard(other):
            excess -= sizes[other]
    return excess <= 0


def discard(version: Path) -> bool:
    """Removes a version, at once for readers, unless its model is being read; returns whether it did."""
    with suppress(OSError), locked(version.parent, wait=False), unfinished_directory(version.parent) as directory:
        version.rename(directory / version.name)
        return True
    return False


def _bytes_of(version: Path) -> int:
    with suppress(OSError):  # another server may remove it
        return sum(file.stat().st_size for file in version.iterdir())
    return 0


def _last_use(version: Path) -> float:
    with suppress(OSError):
        return version.stat().st_mtime
    return 0.0
