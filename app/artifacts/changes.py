"""Changes of the version that serves, and of the versions that exist. Writers of the same model wait for each other."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple

from app.artifacts.manifest import SCHEMA_VERSION, Manifest, read_manifest
from app.artifacts.record import user
from app.artifacts.repository import Entry, ModelRepository
from app.artifacts.serving import Action, Serving, served_before, write_serving
from app.artifacts.sharing import share_files
from app.artifacts.writer import write_version
from app.errors import DigestMismatch, InvalidChange, ModelExists
from app.files import flush, locked, naming, unfinished_directory

Verify = Callable[[Entry], object]
"""Loads a version as a server does; raises InvalidArtifact."""


class Promoted(NamedTuple):
    """A version that was chosen to serve.

    before: the version that served before; None: none did
    changed: False if the version was pinned already, so that nothing was written
    """

    before: int | None
    entry: Entry
    changed: bool


def promote(
    repository: ModelRepository,
    name: str,
    version: int | None,
    verify: Verify,
    action: Action = "promote",
    by: str = "",
) -> Promoted:
    """Makes a version serve until another one is chosen. The history has `by`; empty: the user of the process.

    By default `promote` takes the newest version, and `pin` the one that serves now. Raises what `verify` raises, and
    ModelNotFound, VersionNotFound or InvalidServing; then nothing changes.
    """
    newest = repository.newest(name)
    entry = newest if version is None and action == "promote" else repository.find(name, version)
    verify(entry)
    with _changing(repository, name) as (model, record):
        entry, before = repository.find(name, entry.version), live_version(repository, name)
        changed = record.pinned != entry.version
        if changed:
            write_serving(model, record.changed(action, before, entry.version, by or user()))
    return Promoted(before, entry, changed)


def rollback(repository: ModelRepository, name: str, verify: Verify, by: str = "") -> tuple[int | None, Entry]:
    """Makes the version serve that served before; returns the version that served until now, and that one.

    The history has `by`; empty: the user of the process. Raises what `verify` raises, and InvalidChange if no other
    version served before.
    """
    repository.find(name)
    with _changing(repository, name) as (model, record):
        live = repository.find(name).version
        existing = [entry.version for entry in repository.versions(name)]
        target = served_before(record.history, live, existing)
        if target is None:
            known = ", ".join(map(str, existing))
            raise InvalidChange(
                f"no version of model {name!r} served before version {live}; promote one of these: {known}"
            )
        entry = repository.find(name, target)
        verify(entry)
        write_serving(model, record.changed("rollback", live, target, by or user()))
    return live, entry


def unpin(repository: ModelRepository, name: str) -> int | None:
    """Makes the newest version serve from now on; returns the version that was pinned, or None if none was."""
    repository.newest(name)
    with _changing(repository, name) as (model, record):
        if record.pinned is not None:
            write_serving(model, record.changed("unpin", record.pinned, None, user()))
    return record.pinned


def pin_found(repository: ModelRepository, name: str, version: int) -> None:
    """Pins the version that a server found, unless one is pinned by now; raises OSError or InvalidServing."""
    with _changing(repository, name) as (model, record):
        if record.pinned is None:
            write_serving(model, record.changed("pin", version, version, "tessera serve"))


def copy(repository: ModelRepository, name: str, version: int, to: str | None = None) -> Entry:
    """Writes a version again as the next version of its model, or of the model `to`, and returns it.

    Only the manifest is new, because it holds the number. The files are shared as hard links where possible. Raises
    DigestMismatch if a file of the version is not the one that its manifest records.
    """
    source = repository.find(name, version)
    manifest = read_manifest(source.path)
    files, describe = partial(share_files, source.path), partial(_renumbered, manifest, to or name, version)
    return write_version(repository, to or name, files, describe, "copy", f"{name}:{version}")


def adopt(entry: Entry, repository: ModelRepository, *, joins: bool = False) -> Entry:
    """Writes a version of another repository as the first version of a model of its name, and returns it.

    joins: it becomes the next version of the model instead, made from the version that its teaching names

    The files are shared as hard links where possible. Without `joins`, raises ModelExists if the repository has a model
    of this name, also if another process has written it meanwhile; and DigestMismatch, InvalidName or InvalidServing.
    """
    manifest = read_manifest(entry.path)

    def describe(version: int, files: dict[str, str]) -> Manifest:
        if repository.versions(entry.name) and not joins:  # the directory of the model is locked now
            raise ModelExists(f"there is a model {entry.name!r} already; choose another name")
        _require_recorded(manifest, files)
        return manifest.model_copy(update={"version": version})

    source = f"{entry.name}:{manifest.taught.base}" if manifest.taught else ""
    return write_version(repository, entry.name, partial(share_files, entry.path), describe, source=source)


def _require_recorded(manifest: Manifest, files: dict[str, str]) -> None:
    if files != manifest.files:
        raise DigestMismatch(
            f"a file of version {manifest.version} of {manifest.name!r} is not the one that its manifest records: it "
            "was changed"
        )


def _renumbered(manifest: Manifest, name: str, source: int, version: int, files: dict[str, str]) -> Manifest:
    _require_recorded(manifest, files)
    provenance = manifest.provenance.model_copy(update={"copied_from": f"{manifest.name}:{source}"})
    changes = {"schema_version": SCHEMA_VERSION, "name": name, "version": version, "provenance": provenance}
    return manifest.model_copy(update=changes)


def delete(repository: ModelRepository, name: str, version: int) -> None:
    """Removes a version, whose number is not used again. Raises InvalidChange for the version that serves."""
    repository.find(name, version)
    with _changing(repository, name) as (model, _):
        entry = repository.find(name, version)
        if version == live_version(repository, name):
            raise InvalidChange(f"version {version} of model {name!r} serves; promote another version before")
        repository.record(name, "delete", version)
        with naming(entry.path), unfinished_directory(model) as temporary:
            entry.path.rename(temporary / entry.path.name)  # at once for readers; the rest is removed afterwards
            flush(model)


def live_version(repository: ModelRepository, name: str) -> int | None:
    """The version that serves: the pinned one, or else the newest; None if the model has none."""
    newest = max((entry.version for entry in repository.versions(name)), default=None)
    return repository.serving(name).pinned or newest


@contextmanager
def _changing(repository: ModelRepository, name: str) -> Iterator[tuple[Path, Serving]]:
    """Yields the directory of a model, which is locked, and its record."""
    model = repository.root / name
    with naming(model), locked(model, wait=True):
        yield model, repository.serving(name)
