"""Writes a version with the weights of another version and thresholds of its own."""

from functools import partial

from app.artifacts.camera import BaselineRecord
from app.artifacts.manifest import (
    SCHEMA_VERSION,
    CalibrationRecord,
    DigestRecord,
    Manifest,
    QualityRecord,
    SeenRecord,
    read_manifest,
)
from app.artifacts.repository import Entry, ModelRepository
from app.artifacts.sharing import share_files
from app.artifacts.writer import write_version
from app.errors import DigestMismatch


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
        "provenance": manifest.provenance.model_copy(update={"calibrated_from": source.version, "copied_from": None}),
        "quality": quality,
        "seen": seen,
        "camera": camera or manifest.camera,
    }
    changed = manifest.model_copy(update=changes)
    made_from = f"{source.name}:{source.version}"
    files, describe = partial(share_files, source.path), partial(_numbered, changed)
    return write_version(repository, source.name, files, describe, source=made_from)


def _numbered(manifest: Manifest, version: int, files: dict[str, str]) -> Manifest:
    if files != manifest.files:
        raise DigestMismatch(
            f"a file of version {manifest.provenance.calibrated_from} of {manifest.name!r} is not the one that its "
            "manifest records: it was changed"
        )
    return manifest.model_copy(update={"version": version})
