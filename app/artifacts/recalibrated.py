"""Writes a version with the weights of another version, and with thresholds or zones of its own."""

from functools import partial

from app.artifacts.camera import BaselineRecord
from app.artifacts.manifest import (
    SCHEMA_VERSION,
    CalibrationRecord,
    DigestRecord,
    Manifest,
    Provenance,
    QualityRecord,
    SeenRecord,
    read_manifest,
)
from app.artifacts.repository import Entry, ModelRepository
from app.artifacts.sharing import share_files
from app.artifacts.writer import write_version
from app.artifacts.zones import ZonesRecord
from app.errors import DigestMismatch, ZonesConflict
from app.zones import Reading, Zones, read_zones


def write_recalibrated(
    source: Entry,
    repository: ModelRepository,
    calibration: CalibrationRecord,
    quality: QualityRecord | None,
    digests: DigestRecord,
    camera: BaselineRecord | None = None,
) -> Entry:
    """Writes the next version of the source's model with this calibration, and returns it.

    The version shares the files of weights and golden sample as hard links, or copies them where the file system has no
    links. `quality` and `digests` (of the pictures calibrated on) replace those of the source, because they belong to
    its thresholds. `camera` replaces the source's baseline if it is given. The rest of the manifest is kept. Raises
    InvalidName, and DigestMismatch if a file of the source is not the one that its manifest records.
    """
    manifest = read_manifest(source.path)
    seen = SeenRecord(fitted=manifest.seen.fitted if manifest.seen else None, calibrated=digests)
    changes = {
        "schema_version": SCHEMA_VERSION,
        "calibration": calibration,
        "provenance": _made_from(manifest, calibrated_from=source.version),
        "quality": quality,
        "seen": seen,
        "camera": camera or manifest.camera,
    }
    return _write(source, repository, manifest.model_copy(update=changes))


def write_zoned(
    source: Entry, repository: ModelRepository, zones: Zones | None, *, newest: int | None = None, by: str = ""
) -> Entry:
    """Writes the next version of the source's model with these zones (None: without any), and returns it.

    See `write_recalibrated` for the files and the errors. Raises ZonesConflict if the model has a version that is newer
    than `newest`; None: it may have one. The history has `by`; empty: the user of the process. What the training
    measured of false alarms and defects, the scores of normal pictures, and the camera's statistics of maps and scores
    belong to the zones of the source, and are left out.
    """
    manifest = read_manifest(source.path)
    quality, camera = manifest.quality, manifest.camera
    changes = {
        "schema_version": SCHEMA_VERSION,
        "zones": None if zones is None else ZonesRecord.of(zones),
        "calibration": manifest.calibration.without_values(),
        "provenance": _made_from(manifest, zones_from=source.version),
        "quality": None if quality is None else quality.model_copy(update={"false_alarms": None, "defects": ()}),
        "camera": None if camera is None else camera.of_pictures_alone(),
    }
    return _write(source, repository, manifest.model_copy(update=changes), newest, by)


def read_zones_for(manifest: Manifest, content: bytes, *, ignore: bool) -> Zones | None:
    """The zones of a file for the model of a manifest; None if it has none. Raises InvalidZones.

    ignore: whether areas are ignored for which the file says nothing else
    """
    return read_zones(content, Reading(manifest.calibration.build(), manifest.known_sizes, ignore))


def _made_from(manifest: Manifest, **source: int) -> Provenance:
    unknown = {"calibrated_from": None, "zones_from": None, "copied_from": None}
    return manifest.provenance.model_copy(update=unknown | source)


def _write(
    source: Entry, repository: ModelRepository, manifest: Manifest, newest: int | None = None, by: str = ""
) -> Entry:
    def describe(version: int, files: dict[str, str]) -> Manifest:
        found = repository.versions(source.name)  # the directory of the model is locked now
        if newest is not None and found and found[-1].version > newest:
            raise ZonesConflict(
                f"version {found[-1].version} of {source.name!r} was written meanwhile; read the zones again, then "
                "change them"
            )
        return _numbered(manifest, source.version, version, files)

    files = partial(share_files, source.path)
    return write_version(repository, source.name, files, describe, source=f"{source.name}:{source.version}", by=by)


def _numbered(manifest: Manifest, source: int, version: int, files: dict[str, str]) -> Manifest:
    if files != manifest.files:
        raise DigestMismatch(
            f"a file of version {source} of {manifest.name!r} is not the one that its manifest records: it was changed"
        )
    return manifest.model_copy(update={"version": version})
