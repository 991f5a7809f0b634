"""Versions of models in object storage: finds them in a listing, and fetches them.

A version is there when its manifest is: writers upload the manifest last.
"""

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from app.artifacts.manifest import GOLDEN, MANIFEST, MOST_BYTES, WEIGHTS, read_with_digest
from app.artifacts.reader import verify_artifact
from app.artifacts.repository import NAME, VERSION, Entry
from app.errors import InvalidArtifact, MissingFile
from app.files import flush, unfinished_directory
from app.remote import RemoteFile, RemoteFolder

FILES = MANIFEST, WEIGHTS, GOLDEN

RemoteVersion = Mapping[str, RemoteFile]
"""The files of a version, by their names."""


def remote_versions(files: Mapping[str, RemoteFile]) -> dict[str, dict[int, RemoteVersion]]:
    """The versions of each model in the listing of a repository. Other files are ignored."""
    found: dict[str, dict[int, dict[str, RemoteFile]]] = {}
    for path, file in files.items():
        name, _, rest = path.partition("/")
        number, _, leaf = rest.partition("/")
        if NAME.fullmatch(name) and VERSION.fullmatch(number) and leaf in FILES:
            found.setdefault(name, {}).setdefault(int(number), {})[leaf] = file
    complete: dict[str, dict[int, RemoteVersion]] = {
        name: {number: leaves for number, leaves in sorted(versions.items()) if MANIFEST in leaves}
        for name, versions in sorted(found.items())
    }
    return {name: versions for name, versions in complete.items() if versions}


def read_remote_manifest(remote: RemoteFolder, name: str, version: int, files: RemoteVersion) -> bytes:
    """The manifest of a version; raises InvalidArtifact, also for one that is too large, before it is read."""
    path, size = f"{name}/{version}/{MANIFEST}", files[MANIFEST].size
    if size > MOST_BYTES:
        raise InvalidArtifact(f"{remote.place(path)} has {size:,} bytes, and at most {MOST_BYTES:,} are read")
    with _reported():
        return remote.read(path, 0, size)


@contextmanager
def fetched(remote: RemoteFolder, entry: Entry, files: RemoteVersion, manifest: bytes) -> Iterator[Path]:
    """Yields a temporary directory with the verified files of a version, to be renamed to the path of the entry.

    Raises MissingFile, DigestMismatch, UnsupportedSchema or InvalidArtifact; and OSError if a file cannot be written.
    """
    place = f"{entry.name}/{entry.version}"
    for file in FILES:
        if file not in files:
            raise MissingFile(f"{remote.place(f'{place}/{file}')} is missing")
    with unfinished_directory(entry.path.parent) as directory:
        made = directory / entry.path.name
        made.mkdir()
        (made / MANIFEST).write_bytes(manifest)
        with _named(made, remote.place(place)):
            read_with_digest(made)  # before the large files are fetched
            for file in (WEIGHTS, GOLDEN):
                with _reported():
                    remote.download(f"{place}/{file}", files[file].size, made / file)
            verify_artifact(Entry(entry.name, entry.version, made))
        for file in FILES:
            flush(made / file)
        flush(made)
        yield made


@contextmanager
def fetched_manifest(remote: RemoteFolder, entry: Entry, manifest: bytes) -> Iterator[Entry]:
    """Yields the version in a temporary directory that has its manifest alone. Raises InvalidArtifact."""
    with tempfile.TemporaryDirectory(prefix="tessera-") as directory:
        made = Path(directory)
        (made / MANIFEST).write_bytes(manifest)
        with _named(made, remote.place(f"{entry.name}/{entry.version}")):
            yield Entry(entry.name, entry.version, made)


@contextmanager
def _reported() -> Iterator[None]:
    """Turns an OSError into InvalidArtifact, so that one version is refused, and tried again later."""
    try:
        yield
    except OSError as error:
        raise InvalidArtifact(f"{error.filename} cannot be fetched: {error.strerror}") from None


@contextmanager
def _named(directory: Path, url: str) -> Iterator[None]:
    """Lets errors name the version in the bucket, instead of the temporary directory."""
    try:
        yield
    except InvalidArtifact as error:
        raise type(error)(str(error).replace(str(directory), url)) from None
