"""Copies a model between a repository and a bucket: its versions, and which of them serves."""

from collections.abc import Mapping, Sequence
from hashlib import sha256

from app.artifacts.certificate import CERTIFICATE
from app.artifacts.default import DEFAULT_FILE, default_content, record_default
from app.artifacts.fetching import RemoteVersion, fetched, read_remote_manifest, remote_versions
from app.artifacts.manifest import GOLDEN, MANIFEST, WEIGHTS
from app.artifacts.reader import verify_artifact
from app.artifacts.record import MOST_BYTES
from app.artifacts.repository import Entry, ModelRepository
from app.artifacts.serving import SERVING
from app.artifacts.shadow import SHADOW
from app.artifacts.versions import VERSIONS
from app.errors import InvalidChange, ModelNotFound
from app.files import digest, flush, locked, naming, replacing, sweep
from app.remote import RemoteFile, RemoteFolder

RECORDS = VERSIONS, SERVING, SHADOW


def push(repository: ModelRepository, name: str, remote: RemoteFolder) -> Sequence[int]:
    """Uploads the versions of a model that the bucket lacks, then its records; returns the numbers of the versions.

    A version is there for readers when its manifest is, which is uploaded last. Nothing in the bucket is removed.
    Raises ModelNotFound, InvalidArtifact, OSError, and InvalidChange if a number has another content in the bucket.
    """
    repository.newest(name)
    files = remote.files()
    listed = remote_versions(files)
    missing = []
    for entry in repository.versions(name):
        _, found = verify_artifact(entry)
        if entry.version in listed.get(name, {}):
            _require_same(remote, entry, listed[name][entry.version], found)
        else:
            missing.append(entry)
    for entry in missing:
        for file in (WEIGHTS, GOLDEN, MANIFEST):
            remote.upload(entry.path / file, f"{name}/{entry.version}/{file}")
    for record in (*RECORDS, *(f"{entry.version}/{CERTIFICATE}" for entry in repository.versions(name))):
        if (repository.root / name / record).exists():
            remote.upload(repository.root / name / record, f"{name}/{record}")
    others = [other for other in listed if other != name]
    if len(others) == 1 and name not in listed and DEFAULT_FILE not in files:
        remote.write(DEFAULT_FILE, default_content(*others))
    return [entry.version for entry in missing]


def pull(repository: ModelRepository, name: str, remote: RemoteFolder) -> Sequence[int]:
    """Fetches the versions of a model that the repository lacks, then its records; returns the numbers of the versions.

    Nothing in the repository is removed. Raises ModelNotFound, InvalidName, InvalidArtifact, OSError, and InvalidChange
    if a number has another content here.
    """
    files = remote.files()
    listed = remote_versions(files)
    if name not in listed:
        raise ModelNotFound(f"there is no model {name!r} in {remote.url}; available: {', '.join(listed) or 'none'}")
    others = {entry.name for entry in repository.entries()} - {name}
    model = repository.prepare(name)
    sweep(model)
    with naming(model), locked(model, wait=True):
        here = {entry.version: entry for entry in repository.versions(name)}
        missing = [version for version in listed[name] if version not in here]
        for version in listed[name]:
            if version in here:
                found = digest(here[version].path / MANIFEST)
                _require_same(remote, here[version], listed[name][version], found)
        if len(others) == 1 and not here:
            record_default(repository.root, *others)
        for version in missing:
            _fetch(remote, Entry(name, version, model / str(version)), listed[name][version])
        for record in (*RECORDS, *(f"{version}/{CERTIFICATE}" for version in listed[name])):
            _fetch_record(remote, repository, f"{name}/{record}", files)
    return missing


def _require_same(remote: RemoteFolder, entry: Entry, files: RemoteVersion, found: str) -> None:
    if sha256(read_remote_manifest(remote, entry.name, entry.version, files)).hexdigest() != found:
        raise InvalidChange(
            f"version {entry.version} of model {entry.name!r} in {remote.url} is another one than in {entry.path}; "
            "give one of them a number of its own (tessera models copy)"
        )


def _fetch(remote: RemoteFolder, entry: Entry, files: RemoteVersion) -> None:
    manifest = read_remote_manifest(remote, entry.name, entry.version, files)
    with fetched(remote, entry, files, manifest) as made:
        made.rename(entry.path)
        flush(entry.path.parent)


def _fetch_record(
    remote: RemoteFolder, repository: ModelRepository, path: str, files: Mapping[str, RemoteFile]
) -> None:
    if path in files:
        content = remote.read(path, 0, min(files[path].size, MOST_BYTES + 1))
        with replacing(repository.root / path) as temporary:
            temporary.write_bytes(content)
            temporary.chmod(0o644)
