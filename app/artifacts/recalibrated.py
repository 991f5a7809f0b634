"""Writes a version with the weights of another version and thresholds of its own."""

import os
import shutil
from functools import partial
from pathlib import Path

from app.artifacts.manifest import (
    GOLDEN,
    SCHEMA_VERSION,
    WEIGHTS,
    CalibrationRecord,
    DigestRecord,
    Manifest,
    QualityRecord,
    SeenRecord,
    read_manifest,
)
from app.artifacts.repository import Entry, ModelRepository
from app.artifacts.writer import write_version
from app.errors import DigestMismatch


def write_recalibrated(
    source: Entry,
    repository: ModelRepository,
    calibration: CalibrationRecord,
    quality: QualityRecord | None,
    digests: DigestRecord,
) -> Entry:
    """Writes the next version of the source's model with this calibration, and returns it.

    The version shares the files of weights and golden sample as hard links, or copies them where the file system has no
    links. `quality` and `digests` (of the pictures calibrated on) replace those of the source, because they belong to
    its thresholds. The rest of the manifest is kept. Raises InvalidName, and DigestMismatch if a file of the source is
    not the one that its manifest records.
    """
    manifest = read_manifest(source.path)
    seen = SeenRecord(fitted=manifest.seen.fitted if manifest.seen else None, calibrated=digests)
    changes = {
        "schema_version": SCHEMA_VERSION,
        "calibration": calibration,
        "provenance": manifest.provenance.model_copy(update={"calibrated_from": source.version}),
        "quality": quality,
        "seen": seen,
    }
    changed = manifest.model_copy(update=changes)
    return write_version(repository, source.name, partial(_share, source.path), partial(_numbered, changed))


def _share(source: Path, directory: Path) -> None:
    for file in (WEIGHTS, GOLDEN):
        try:
            os.link((source / file).resolve(), directory / file)
        except OSError:  # no links on this file system, or between these two
            shutil.copyfile(source / file, directory / file)


def _numbered(manifest: Manifest, version: int, files: dict[str, str]) -> Manifest:
    if files != manifest.files:
        raise DigestMismatch(
            f"a file of version {manifest.provenance.calibrated_from} of {manifest.name!r} is not the one that its "
            "manifest records: it was changed"
        )
    return manifest.model_copy(update={"version": version})
