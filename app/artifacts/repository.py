"""A directory of models: `<root>/<name>/<version>/`, where a version is a positive integer."""

import re
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from app.artifacts.fingerprint import Fingerprint, fingerprint
from app.artifacts.serving import Serving, read_serving, write_serving
from app.artifacts.versions import VersionAction, VersionEvent, add_event, read_versions
from app.errors import InvalidName, ModelNotFound, UnreadableRepository, VersionNotFound
from app.files import locked, sweep

NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")
TRAINING = ".training-"
"""The prefix of the names of a running training's files, see app.training.workspace."""

LOCK_AGE_S = 60.0
"""A lock of a training is a leftover only if it was made so long ago: a training makes the file before it locks it."""

VERSION = re.compile(r"[1-9][0-9]*")


@dataclass(frozen=True, slots=True)
class Entry:
    """A version of a model, and its directory."""

    name: str
    version: int
    path: Path


class ModelRepository:
    """The models under a directory. Each call scans the directory, and ignores other files and directories in it."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @property
    def place(self) -> str:
        """Where the models are, for messages."""
        return str(self.root)

    def update(self) -> None:
        """Makes the directory what it mirrors, if it is a mirror; raises UnreadableRepository."""

    def require_writable(self) -> None:
        """Raises OSError if programs never write to this repository."""

    @contextmanager
    def held(self, entry: Entry) -> Iterator[None]:
        """In the `with` block, the files of a version are in its directory. Raises InvalidArtifact."""
        yield

    @contextmanager
    def described(self, entry: Entry) -> Iterator[Entry]:
        """Yields the version in a directory that has its manifest, and not always its other files.

        Raises MissingFile, UnsupportedSchema or InvalidArtifact.
        """
        yield entry

    def entries(self) -> list[Entry]:
        """All versions of all models, sorted by name and version."""
        return [entry for name in self._names() for entry in self.versions(name)]

    def versions(self, name: str) -> list[Entry]:
        """The versions of a model, the oldest first; empty if there is no such model."""
        model = self.root / name
        found = (Entry(name, int(version.name), version) for version in version_directories(model))
        return sorted(found, key=lambda entry: entry.version)

    def _names(self) -> list[str]:
        return sorted(model.name for model in directories(self.root) if NAME.fullmatch(model.name))

    def names(self) -> list[str]:
        """The names of all models, sorted; raises UnreadableRepository.

        A missing directory is an error, not an empty repository: an unmounted file system must not withdraw all models.
        """
        if not self.root.is_dir():
            raise UnreadableRepository(f"the model repository {self.root} is not a directory, or is not there")
        try:
            return self._names()
        except OSError as error:
            raise UnreadableRepository(
                f"the model repository {self.root} cannot be read: {error.filename}: {error.strerror}"
            ) from error

    def scan(self, name: str) -> dict[Entry, Fingerprint]:
        """The versions of a model, in their order, with the fingerprints of their files; raises OSError."""
        return {entry: fingerprint(entry.path) for entry in self.versions(name)}

    def sweep(self) -> list[Path]:
        """Removes what killed writers left, and returns it. Checkpoints stay: their trainings continue from them."""
        removed = []
        for model in directories(self.root):
            if NAME.fullmatch(model.name):
                removed += sweep(model)
                removed += [lock for lock in model.glob(f"{TRAINING}*.lock") if _removed_lock(lock)]
        return removed

    def find(self, name: str, version: int | None = None) -> Entry:
        """A version, by default the one that serves: the pinned one, or else the newest.

        Raises ModelNotFound, VersionNotFound, or InvalidServing.
        """
        newest = self.newest(name).version
        versions = {entry.version: entry for entry in self.versions(name)}
        pinned = self.serving(name).pinned if version is None else None
        chosen = pinned or newest if version is None else version
        if chosen not in versions:
            known = ", ".join(str(number) for number in sorted(versions))
            which = ", which is pinned" * (chosen == pinned)
            raise VersionNotFound(f"model {name!r} has no version {chosen}{which}; available: {known}")
        return versions[chosen]

    def newest(self, name: str) -> Entry:
        """The version with the highest number; raises ModelNotFound."""
        entries = self.entries()
        versions = [entry for entry in entries if entry.name == name]
        if not versions:
            if not self.root.is_dir():
                raise ModelNotFound(f"there is no model {name!r}, because {self.root} is not a directory")
            known = ", ".join(sorted({entry.name for entry in entries})) or "none"
            raise ModelNotFound(f"there is no model {name!r} in {self.root}; available: {known}")
        return versions[-1]

    def serving(self, name: str) -> Serving:
        """Which version of a model serves; raises InvalidServing."""
        return read_serving(self.root / name)

    def next_version(self, name: str) -> int:
        """One more than the highest number that was ever used, also by versions that were deleted.

        Raises InvalidName for a name that cannot be used, and InvalidServing.
        """
        if not NAME.fullmatch(name):
            raise InvalidName(
                f"{name!r} cannot name a model; use lower-case letters, digits, '_' and '-', starting with one of the "
                "first two"
            )
        return self._highest(name) + 1

    def _highest(self, name: str) -> int:
        """The highest number that was ever used: that of both records, or of a version that was put there by hand."""
        recorded = self.serving(name).highest, read_versions(self.root / name).highest
        return max(*recorded, *(entry.version for entry in self.versions(name)))

    def history(self, name: str) -> Sequence[VersionEvent]:
        """Who wrote and deleted versions of a model, the oldest event first; raises InvalidServing."""
        return read_versions(self.root / name).history

    def record(self, name: str, action: VersionAction, version: int, source: str = "", by: str = "") -> None:
        """Records that a version is written or deleted, and at both places that its number is used.

        source: the version that it is made from, as `NAME:VERSION`
        by: who writes or deletes it; empty: the user of the process

        The caller holds the lock of the model's directory. Raises InvalidServing.
        """
        model, highest, serving = self.root / name, max(self._highest(name), version), self.serving(name)
        add_event(model, action, version, source, highest, by)
        if serving.highest < highest:
            write_serving(model, serving.model_copy(update={"highest": highest}))

    def prepare(self, name: str) -> Path:
        """The directory of a model, created if it is missing.

        Raises InvalidName for an invalid name, or if the directory cannot be written to.
        """
        self.next_version(name)
        directory = self.root / name
        try:
            directory.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=directory):
                return directory
        except OSError as error:
            raise InvalidName(
                f"{directory} cannot be written to ({error.strerror}); use a models_dir that can"
            ) from error

    def require_place(self, name: str) -> None:
        """Checks that `prepare` will succeed, without leaving a directory; raises InvalidName.

        To be called before long work whose result is written at the end.
        """
        existed = (self.root / name).exists()
        directory = self.prepare(name)
        if not existed:
            with suppress(OSError):  # another process may use the directory by now
                directory.rmdir()


def _removed_lock(lock: Path) -> bool:
    """Removes the lock of a training that was killed before its first checkpoint; returns whether it did."""
    with suppress(OSError):
        if not lock.with_suffix(".pt").exists() and time.time() - lock.stat().st_mtime > LOCK_AGE_S:
            with locked(lock, wait=False) as alone:
                if alone:
                    lock.unlink()
                    return True
    return False


def version_directories(model: Path) -> list[Path]:
    """The directories of a model that have the names of versions, in any order."""
    return [version for version in directories(model) if VERSION.fullmatch(version.name)]


def directories(parent: Path) -> list[Path]:
    """The directories in a directory, in any order; none if it is not there."""
    try:
        return [child for child in parent.iterdir() if child.is_dir()]
    except (FileNotFoundError, NotADirectoryError):  # it may have been removed during the scan
        return []
