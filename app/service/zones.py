"""Reads the zones of served versions, and writes versions with other zones."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from app.artifacts import Entry, Manifest, ModelRepository, read_with_digest, read_zones_for, write_zoned
from app.errors import InvalidArtifact, InvalidName, InvalidServing, InvalidZones, ZonesConflict, ZonesRefused
from app.scoring import Calibration
from app.service.catalogue import ModelCatalogue
from app.zones import Zones


@dataclass(frozen=True, slots=True)
class VersionZones:
    """The zones of a version; None: it has none. `digest` is the SHA-256 of its manifest."""

    entry: Entry
    digest: str
    calibration: Calibration
    zones: Zones | None


@dataclass(frozen=True, slots=True)
class ZonesChange:
    """What a request wants of zones.

    content: a file of zones, which replace all
    ignore: whether areas are ignored for which the file says nothing else
    matches: says whether a version of this digest is the one whose zones were read
    by: who wants it
    """

    content: bytes
    ignore: bool
    matches: Callable[[str], bool]
    by: str


class ZoneEditor:
    """The zones of the versions that are served. Any thread may call; `write` writes files, and may take seconds."""

    def __init__(self, repository: ModelRepository, catalogue: ModelCatalogue) -> None:
        self._repository, self._catalogue = repository, catalogue

    def read(self, name: str, version: int | None = None) -> VersionZones:
        """The zones of a version, by default the live one; raises ModelNotFound, VersionNotFound or ModelLoading."""
        status = self._catalogue.describe(name, version)
        assert status.description is not None  # `describe` requires it
        return _zones_of(status.entry, status.description.digest, status.description.manifest)

    def write(self, name: str, version: int | None, change: ZonesChange) -> tuple[Entry, VersionZones]:
        """Writes the zones of a file as the next version of a model, which shares the weights of `version`.

        Returns the version whose zones were replaced, and the new one. They are the same version, and nothing is
        written, if neither it nor the file has zones. No server sees the new version before it is complete.

        Raises as `read`; InvalidZones; ZonesConflict unless the digest of the version matches, or if the model has a
        version that this process does not know; and ZonesRefused.
        """
        model, status = self._catalogue.model(name), self._catalogue.describe(name, version)
        known, source = status.description, status.entry
        assert known is not None  # `describe` requires it
        newest = max(each.entry.version for each in model.versions)
        zones = read_zones_for(known.manifest, change.content, ignore=change.ignore)
        if zones is None and change.ignore:
            raise InvalidZones("there is no polygon to ignore; to remove all zones, leave out ignore")
        if not change.matches(known.digest):
            raise ZonesConflict(
                f"the tag is not that of version {source.version} of {source.name!r}, whose zones are there now; "
                "read them again, then change them"
            )
        if zones is None and known.manifest.zones is None:
            return source, _zones_of(source, known.digest, known.manifest)
        with _refusing(source):
            self._repository.require_writable()
            if read_with_digest(source.path)[1] != known.digest:
                raise ZonesConflict(
                    f"the files of version {source.version} of {source.name!r} were replaced; read the zones again, "
                    "then change them"
                )
            written = write_zoned(source, self._repository, zones, newest=newest, by=change.by)
            manifest, digest = read_with_digest(written.path)
            return source, _zones_of(written, digest, manifest)


def _zones_of(entry: Entry, digest: str, manifest: Manifest) -> VersionZones:
    zones = None if manifest.zones is None else manifest.zones.build()
    return VersionZones(entry, digest, manifest.calibration.build(), zones)


@contextmanager
def _refusing(source: Entry) -> Iterator[None]:
    """Turns errors of the repository into ZonesRefused, whose messages are for clients."""
    try:
        yield
    except InvalidServing as error:
        raise ZonesRefused(error.plain) from error
    except InvalidArtifact as error:
        raise ZonesRefused(
            f"the files of version {source.version} of {source.name!r} cannot be used ({error.code}); `tessera models "
            "verify` says why"
        ) from error
    except (OSError, InvalidName) as error:
        cause = error if isinstance(error, OSError) else error.__cause__
        reason = getattr(cause, "strerror", None) or "it cannot be written"
        raise ZonesRefused(
            f"the model repository cannot be written ({reason}); make it writable for the server, or use `tessera "
            "zones` where it is"
        ) from error
