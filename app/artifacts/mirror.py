"""A model repository in object storage, mirrored in a local directory.

The directory has the layout of a repository. Each version has one more file, `.source`, which identifies the files in
the bucket that it was made from. Several servers of a machine may use the same directory.
"""

import errno
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path

from app.artifacts.default import DEFAULT_FILE
from app.artifacts.fetching import (
    FILES,
    RemoteVersion,
    fetched,
    fetched_manifest,
    read_remote_manifest,
    remote_versions,
)
from app.artifacts.fingerprint import Fingerprint
from app.artifacts.manifest import MANIFEST
from app.artifacts.reader import verify_artifact
from app.artifacts.record import MOST_BYTES
from app.artifacts.repository import Entry, ModelRepository, directories, version_directories
from app.artifacts.room import discard, make_room
from app.artifacts.serving import SERVING, Serving
from app.artifacts.shadow import SHADOW
from app.errors import InvalidArtifact, InvalidBucket, MissingFile, UnreadableRepository
from app.files import digest, locked, read_regular, replacing, sweep
from app.remote import RemoteFile, RemoteFolder

SOURCE, DIGITS = ".source", 64
FETCHING = ".fetching"
"""A directory beside the versions of a model. Who fetches a version locks it."""

ATTEMPTS = 3
"""How often a version is fetched that another server removes from the directory before it is read."""


class MirroredRepository(ModelRepository):
    """The models below a URL, as of the last `update`; before the first one that succeeds, those of an earlier process.

    Versions are fetched when they are loaded (`held`). Nothing is written to the bucket. `most_bytes` is the limit of
    all versions in `cache`, also those of other URLs; beyond it the ones that were not used for longest are removed.
    Raises InvalidBucket.
    """

    def __init__(self, remote: RemoteFolder, cache: Path, most_bytes: int) -> None:
        readable = re.sub(r"[^a-z0-9]+", "-", remote.url.lower())[:60]
        super().__init__(cache / f"{readable}-{sha256(remote.url.encode()).hexdigest()[:8]}")
        self._remote, self._cache, self._most_bytes = remote, cache, most_bytes
        self._listed: Mapping[str, Mapping[int, RemoteVersion]] | None = None
        self._files: Mapping[str, RemoteFile] = {}  # all files of the bucket
        self._followed: dict[str, RemoteFile | None] = {}  # the records that were copied
        self._verified: set[tuple[Entry, str]] = set()  # versions that this process has verified, and their sources
        try:
            self.root.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InvalidBucket(
                f"{error.filename} cannot be made ({error.strerror}); name another folder by models_cache"
            ) from error

    @property
    def place(self) -> str:
        """The URL."""
        return self._remote.url

    def require_writable(self) -> None:
        raise OSError(errno.EROFS, "servers do not write to a bucket", self.place)

    def update(self) -> None:
        """Lists the bucket, and removes what it does not have any more. Versions are not fetched yet."""
        try:
            self._files = self._remote.files()
            if not self._files:
                raise OSError(errno.ENOENT, "it has no files", self.place)
            self._listed = remote_versions(self._files)
            self._follow(DEFAULT_FILE)
        except OSError as error:
            at = "" if error.filename in (None, self.place) else f"{error.filename}: "
            raise UnreadableRepository(
                f"the model repository {self.place} cannot be read: {at}{error.strerror}"
            ) from None
        self._remove_others(self._listed)

    def serving(self, name: str) -> Serving:
        """As of the bucket; raises InvalidServing, and OSError if the record cannot be fetched."""
        if self._listed is not None:
            for record in (SERVING, SHADOW):
                self._follow(f"{name}/{record}")
        return super().serving(name)

    def scan(self, name: str) -> dict[Entry, Fingerprint]:
        """The versions of a model, whether they are fetched or not, with fingerprints of their files in the bucket."""
        return {entry: ((int(self._source(entry)[:15], 16),),) for entry in self.versions(name)}

    @contextmanager
    def held(self, entry: Entry) -> Iterator[None]:
        for _ in range(ATTEMPTS):
            self._require(entry)
            with locked(entry.path.parent, wait=True):
                if entry.path.is_dir():
                    os.utime(entry.path)
                    yield
                    return
        raise InvalidArtifact(f"{entry.path} is removed as soon as it is fetched; the cache may be too small")

    @contextmanager
    def described(self, entry: Entry) -> Iterator[Entry]:
        if _source_of(entry.path) == self._source(entry):
            with locked(entry.path.parent, wait=True):
                yield entry
            return
        files = (self._listed or {}).get(entry.name, {}).get(entry.version)
        if files is None:
            raise MissingFile(f"{self._url_of(entry)} is not there")
        with fetched_manifest(
            self._remote, entry, read_remote_manifest(self._remote, entry.name, entry.version, files)
        ) as made:
            yield made

    def sweep(self) -> list[Path]:
        """Removes what killed writers left, and returns it."""
        return [*sweep(self.root), *super().sweep()]

    def _names(self) -> list[str]:
        return super()._names() if self._listed is None else list(self._listed)

    def versions(self, name: str) -> list[Entry]:
        if self._listed is None:
            return [entry for entry in super().versions(name) if _source_of(entry.path)]
        return [Entry(name, version, self.root / name / str(version)) for version in self._listed.get(name, {})]

    def _source(self, entry: Entry) -> str:
        """The identity of the files that a version is to be made from, in hexadecimal."""
        if self._listed is None:
            return _source_of(entry.path) or "0"
        files = self._listed.get(entry.name, {}).get(entry.version, {})
        named = "\n".join(f"{file} {files[file].size} {files[file].tag}" for file in FILES if file in files)
        return sha256(named.encode()).hexdigest()

    def _url_of(self, entry: Entry) -> str:
        return self._remote.place(f"{entry.name}/{entry.version}")

    def _follow(self, path: str) -> None:
        """Makes the local copy of a record that of the bucket, if the latter has changed. Raises OSError."""
        found, local = self._files.get(path), self.root / path
        if path in self._followed and self._followed[path] == found:
            return
        if found is None:
            local.unlink(missing_ok=True)
        else:
            content = self._remote.read(path, 0, min(found.size, MOST_BYTES + 1))  # more is refused when it is read
            with replacing(local) as temporary:
                temporary.write_bytes(content)
        self._followed[path] = found

    def _require(self, entry: Entry) -> None:
        """Fetches a version, unless the directory has it. Raises InvalidArtifact."""
        source = self._source(entry)
        if self._is_sound(entry, source):
            return
        files = (self._listed or {}).get(entry.name, {}).get(entry.version)
        if files is None:
            if self._listed is None:
                raise InvalidArtifact(f"{entry.path} is damaged, and {self.place} cannot be read to fetch it again")
            raise MissingFile(f"{self._url_of(entry)} is not there")
        try:
            lock = entry.path.parent / FETCHING
            lock.mkdir(parents=True, exist_ok=True)
            with locked(lock, wait=True):
                if not self._is_sound(entry, source):  # another server may have fetched it meanwhile
                    self._fetch(entry, files, source)
        except OSError as error:
            raise InvalidArtifact(f"{entry.path} cannot be written: {error.strerror}") from None
        self._verified.add((entry, source))

    def _is_sound(self, entry: Entry, source: str) -> bool:
        """Whether the directory has the version of this source. Verifies its digests once in a process."""
        if _source_of(entry.path) != source:
            return False
        if (entry, source) not in self._verified:
            try:
                with locked(entry.path.parent, wait=True):
                    verify_artifact(entry)
            except (InvalidArtifact, OSError):
                return False
            self._verified.add((entry, source))
        return True

    def _fetch(self, entry: Entry, files: RemoteVersion, source: str) -> None:
        manifest = read_remote_manifest(self._remote, entry.name, entry.version, files)
        if self._has_content(entry, manifest):
            with replacing(entry.path / SOURCE) as temporary:
                temporary.write_text(source)
            return
        needed = sum(file.size for file in files.values())
        if not make_room(self._cache, entry.path, needed, self._most_bytes):
            raise InvalidArtifact(
                f"{self._url_of(entry)} has {needed:,} bytes, and there is no room for it: all fetched models may have "
                f"{self._most_bytes:,} bytes; raise models_cache_bytes"
            )
        with fetched(self._remote, entry, files, manifest) as made:
            (made / SOURCE).write_text(source)
            with locked(entry.path.parent, wait=True):
                with suppress(FileNotFoundError):
                    entry.path.rename(made.with_name("old"))
                made.rename(entry.path)

    def _has_content(self, entry: Entry, manifest: bytes) -> bool:
        """Whether the directory has a sound version with this manifest, which holds the digests of the other files."""
        try:
            if digest(entry.path / MANIFEST) != sha256(manifest).hexdigest():
                return False
            verify_artifact(entry)
        except (OSError, InvalidArtifact):
            return False
        return True

    def _remove_others(self, listed: Mapping[str, Mapping[int, RemoteVersion]]) -> None:
        """Removes the versions and models that are not in the bucket. What is being read is removed by a later call."""
        for model in directories(self.root):
            if model.name in listed:
                for version in version_directories(model):
                    if int(version.name) not in listed[model.name]:
                        discard(version)
            else:
                with suppress(OSError), locked(model, wait=False):
                    shutil.rmtree(model)
                    for record in (SERVING, SHADOW):
                        self._followed.pop(f"{model.name}/{record}", None)


def _source_of(version: Path) -> str:
    """The identity in the file of a fetched version; empty if there is none."""
    try:
        found = read_regular(version / SOURCE, DIGITS).decode("ascii", "replace")
    except OSError:
        return ""
    return found if re.fullmatch("[0-9a-f]{64}", found) else ""
