"""Reads artifacts, and verifies them before they are served."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor

from app.artifacts.certificate import CertificateRecord, usable_certificate
from app.artifacts.evidence import read_evidence, without_evidence
from app.artifacts.golden import Golden, golden_size, load_golden
from app.artifacts.manifest import GOLDEN, WEIGHTS, Manifest, read_with_digest, shortened
from app.artifacts.repository import Entry
from app.artifacts.tuning import require_golden, tuned
from app.detectors import DETECTORS, with_thumbnail
from app.errors import DigestMismatch, InvalidArtifact, InvalidZones, MissingFile, TesseraError, UnsupportedSchema
from app.files import digest
from app.pipeline import Evidence, NormalPatches, Preprocessing, TiledModel
from app.runtime import RunOptions
from app.scoring import Calibration
from app.tensor_files import read_tensors
from app.tiling import Size, Tiling
from app.zones import Zones

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Description:
    """What is known of a model without its weights. `digest` is the SHA-256 of its manifest."""

    manifest: Manifest
    digest: str
    certificate: CertificateRecord | None


@dataclass(frozen=True, slots=True)
class Artifact:
    """A verified model. `digest` is the SHA-256 of its manifest, which holds the SHA-256 of each other file.

    evidence: normal patches with their sources; None: the artifact has none
    certificate: which marks it finds; None: that was not measured
    """

    name: str
    version: int
    digest: str
    manifest: Manifest
    golden: Golden
    model: TiledModel
    replicas: tuple[TiledModel, ...] = ()  # the model on further devices
    evidence: NormalPatches | None = None
    certificate: CertificateRecord | None = None

    @property
    def models(self) -> tuple[TiledModel, ...]:
        """The model on each of the devices for which it was loaded."""
        return self.model, *self.replicas

    @property
    def description(self) -> Description:
        """What its manifest says."""
        return Description(self.manifest, self.digest, self.certificate)

    @property
    def calibration(self) -> Calibration:
        """The thresholds and ranges of the model."""
        calibration = self.model.calibration
        assert calibration is not None  # `write_artifact` requires it
        return calibration

    def evidence_for(self, size: Size) -> Evidence:
        """Finds evidence for regions of pictures of this (height, width)."""
        return Evidence(self.model, self.evidence, self.manifest.calibration.normal_level, size)

    def test_device(self, number: int) -> None:
        """Computes the golden sample on the device of this number; raises GoldenMismatch, or what the device raises."""
        self.test_model(self.models[number])

    def test_model(self, model: TiledModel) -> None:
        """Computes the golden sample by one of `models`; raises GoldenMismatch, or what its device raises."""
        require_golden(model.with_zones(None), self.golden, self.manifest.golden)


def load_artifact(
    entry: Entry,
    device: torch.device | str = "cpu",
    options: RunOptions = RunOptions(),  # noqa: B008
) -> Artifact:
    """Loads the model of an entry onto a device. Verifies its digests, and that it reproduces its golden sample.

    Chooses how the model is run, as the options allow, and reproduces the sample in that way. Raises MissingFile,
    DigestMismatch, UnsupportedSchema, GoldenMismatch, InvalidArtifact or ModelTooLarge; and InvalidDevice for
    options that the device does not support.
    """
    return build_artifact(read_artifact(entry), device, options)


@dataclass(frozen=True, slots=True)
class Files:
    """The content of an artifact's files, whose digests were verified. `digest` is the SHA-256 of the manifest.

    evidence: the tensors of the normal patches by their names; empty: there are none
    """

    entry: Entry
    manifest: Manifest
    digest: str
    weights: Mapping[str, Tensor]
    golden: Golden
    evidence: Mapping[str, Tensor]
    certificate: CertificateRecord | None


def read_artifact(entry: Entry) -> Files:
    """Reads the files of an entry into memory, each once.

    Raises MissingFile, DigestMismatch, UnsupportedSchema or InvalidArtifact; and ModelTooLarge.
    """
    manifest, found = _described(entry)
    tiling, preprocessing = _shape(manifest, entry.path)
    weights, evidence = without_evidence(_read(entry.path / WEIGHTS, manifest, read_tensors))
    size = golden_size(tiling, preprocessing)
    golden = _read(entry.path / GOLDEN, manifest, lambda path, expected: load_golden(path, size, expected))
    return Files(entry, manifest, found, weights, golden, evidence, usable_certificate(entry.path, found))


def build_artifact(files: Files, device: torch.device | str = "cpu", options: RunOptions = RunOptions()) -> Artifact:  # noqa: B008
    """Makes the model on a device, see `load_artifact`. The model takes over the weights if the device is the CPU.

    Raises UnsupportedSchema, GoldenMismatch or InvalidArtifact; and InvalidDevice.
    """
    entry, manifest = files.entry, files.manifest
    model = _model(files, device, options.time_stages)
    evidence = read_evidence(files.evidence, model.detector)
    model = tuned(model, files.golden, manifest.golden, options).with_zones(_zones(files))  # golden samples have none
    return Artifact(
        entry.name,
        entry.version,
        files.digest,
        manifest,
        files.golden,
        model,
        evidence=evidence,
        certificate=files.certificate,
    )


def describe_artifact(entry: Entry) -> Description:
    """Reads the manifest of an entry, and no other file; they are verified when the model is loaded.

    Raises MissingFile, UnsupportedSchema or InvalidArtifact.
    """
    manifest, found = _described(entry)
    return Description(manifest, found, usable_certificate(entry.path, found))


def verify_artifact(entry: Entry) -> tuple[Manifest, str]:
    """Verifies all digests of an entry, and returns its manifest and the manifest's SHA-256.

    Raises MissingFile, DigestMismatch, UnsupportedSchema or InvalidArtifact.
    """
    manifest, found = _described(entry)
    for file in (WEIGHTS, GOLDEN):
        _read(entry.path / file, manifest, _verify)
    return manifest, found


def _described(entry: Entry) -> tuple[Manifest, str]:
    """The manifest of an entry and its SHA-256."""
    manifest, found = read_with_digest(entry.path)
    if (manifest.name, manifest.version) != (entry.name, entry.version):
        raise InvalidArtifact(
            f"{entry.path} holds version {shortened(manifest.version)} of {shortened(manifest.name)!r}; move it to its "
            "own directory"
        )
    return manifest, found


def _read(path: Path, manifest: Manifest, read: Callable[[Path, str], T]) -> T:
    """What `read` returns for a file and the digest that the manifest records; turns OSError into InvalidArtifact."""
    expected = manifest.files.get(path.name)
    if expected is None:
        raise InvalidArtifact(f"the manifest beside {path} does not record the file's digest")
    try:
        return read(path, expected)
    except FileNotFoundError as error:
        raise MissingFile(f"{path} is missing") from error
    except OSError as error:
        raise InvalidArtifact(f"{path} cannot be read: {error.strerror}") from error


def _verify(path: Path, expected: str) -> None:
    found = digest(path)
    if found != expected:
        raise DigestMismatch(
            f"{path} has the SHA-256 {found}, and the manifest records {shortened(expected)}: the file was changed"
        )


def _shape(manifest: Manifest, directory: Path) -> tuple[Tiling, Preprocessing]:
    """The tiling and preprocessing of the manifest; raises InvalidArtifact if they cannot work."""
    try:
        return manifest.tiling.build(), manifest.preprocessing.build()
    except TesseraError as error:
        raise _other_model(directory, error) from error


def _other_model(directory: Path, error: Exception) -> InvalidArtifact:
    return InvalidArtifact(f"{directory} does not hold the model that its manifest describes: {shortened(error)}")


def _zones(files: Files) -> Zones | None:
    record = files.manifest.zones
    try:
        return None if record is None else record.build()
    except InvalidZones as error:
        raise _other_model(files.entry.path, error) from error


def _model(files: Files, device: torch.device | str, time_stages: bool) -> TiledModel:
    manifest, directory = files.manifest, files.entry.path
    kind = DETECTORS.get(manifest.detector.name)
    if kind is None:
        raise UnsupportedSchema(
            f"detector {shortened(manifest.detector.name)!r} is not known to this Tessera; it knows "
            f"{', '.join(DETECTORS)}"
        )
    tiling, preprocessing = _shape(manifest, directory)
    try:
        detector = with_thumbnail(kind(**manifest.detector.parameters), tiling)
        detector.load_fitted_state(files.weights)
        calibration = manifest.calibration.build()
        return TiledModel(detector, preprocessing, tiling, calibration, device, time_stages=time_stages)
    except (KeyError, TypeError, ValueError, RuntimeError, TesseraError) as error:
        raise _other_model(directory, error) from error
