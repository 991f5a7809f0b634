"""Reads artifacts, and verifies them before they are served."""

from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError

from app.artifacts.golden import Golden, load_golden
from app.artifacts.manifest import GOLDEN, MANIFEST, WEIGHTS, Manifest, read_manifest
from app.artifacts.repository import Entry
from app.artifacts.tensors import read_tensors
from app.artifacts.tuning import require_golden, tuned
from app.artifacts.writer import digest
from app.detectors import DETECTORS, with_thumbnail
from app.errors import DigestMismatch, InvalidArtifact, MissingFile, TesseraError, UnsupportedSchema
from app.pipeline import TiledModel
from app.runtime import RunOptions
from app.scoring import Calibration


@dataclass(frozen=True, slots=True)
class Artifact:
    """A verified model. `digest` is the SHA-256 of its manifest, which holds the SHA-256 of each other file."""

    name: str
    version: int
    digest: str
    manifest: Manifest
    golden: Golden
    model: TiledModel
    replicas: tuple[TiledModel, ...] = ()  # the model on further devices

    @property
    def models(self) -> tuple[TiledModel, ...]:
        """The model on each of the devices for which it was loaded."""
        return self.model, *self.replicas

    @property
    def calibration(self) -> Calibration:
        """The thresholds and ranges of the model."""
        calibration = self.model.calibration
        assert calibration is not None  # `write_artifact` requires it
        return calibration

    def test_device(self, number: int) -> None:
        """Computes the golden sample on the device of this number; raises GoldenMismatch, or what the device raises."""
        require_golden(self.models[number], self.golden, self.manifest.golden)


def load_artifact(
    entry: Entry,
    device: torch.device | str = "cpu",
    options: RunOptions = RunOptions(),  # noqa: B008
) -> Artifact:
    """Loads the model of an entry onto a device. Verifies its digests, and that it reproduces its golden sample.

    Chooses how the model is run, as the options allow, and reproduces the sample in that way. Raises MissingFile,
    DigestMismatch, UnsupportedSchema, GoldenMismatch or InvalidArtifact; and InvalidDevice for options that the device
    does not support.
    """
    manifest, found = verify_artifact(entry)
    model = _model(manifest, entry.path / WEIGHTS, device, options.time_stages)
    golden = load_golden(entry.path / GOLDEN)
    model = tuned(model, golden, manifest.golden, options)
    return Artifact(entry.name, entry.version, found, manifest, golden, model)


def verify_artifact(entry: Entry) -> tuple[Manifest, str]:
    """Verifies all digests of an entry, and returns its manifest and the manifest's SHA-256.

    Raises MissingFile, DigestMismatch, UnsupportedSchema or InvalidArtifact.
    """
    manifest = read_manifest(entry.path)
    try:
        found = manifest_digest(entry)
    except OSError as error:
        raise InvalidArtifact(f"{entry.path / MANIFEST} cannot be read: {error.strerror}") from error
    if (manifest.name, manifest.version) != (entry.name, entry.version):
        raise InvalidArtifact(
            f"{entry.path} holds version {manifest.version} of {manifest.name!r}; move it to its own directory"
        )
    for file in (WEIGHTS, GOLDEN):
        _verify(entry.path / file, manifest.files.get(file))
    return manifest, found


def manifest_digest(entry: Entry) -> str:
    """The SHA-256 of an entry's manifest, which holds the SHA-256 of each other file; raises OSError."""
    return digest(entry.path / MANIFEST)


def _verify(path: Path, expected: str | None) -> None:
    if expected is None:
        raise InvalidArtifact(f"the manifest beside {path} does not record the file's digest")
    if not path.is_file():
        raise MissingFile(f"{path} is missing")
    try:
        found = digest(path)
    except OSError as error:
        raise InvalidArtifact(f"{path} cannot be read: {error.strerror}") from error
    if found != expected:
        raise DigestMismatch(
            f"{path} has the SHA-256 {found}, and the manifest records {expected}: the file was changed"
        )


def _model(manifest: Manifest, weights: Path, device: torch.device | str, time_stages: bool) -> TiledModel:
    kind = DETECTORS.get(manifest.detector.name)
    if kind is None:
        raise UnsupportedSchema(
            f"detector {manifest.detector.name!r} is not known to this Tessera; it knows {', '.join(DETECTORS)}"
        )
    try:
        preprocessing, tiling = manifest.preprocessing.build(), manifest.tiling.build()
        detector = with_thumbnail(kind(**manifest.detector.parameters), tiling)
        detector.load_fitted_state(read_tensors(weights))
        calibration = manifest.calibration.build()
        return TiledModel(detector, preprocessing, tiling, calibration, device, time_stages=time_stages)
    except (KeyError, OSError, TypeError, RuntimeError, SafetensorError, TesseraError) as error:
        raise InvalidArtifact(
            f"{weights.parent} does not hold the model that its manifest describes: {error}"
        ) from error
