"""Writes artifacts: all files into a temporary directory beside the final place, which is then renamed."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import torch

from app.artifacts.camera import BaselineRecord
from app.artifacts.default import record_default
from app.artifacts.evidence import evidence_tensors
from app.artifacts.golden import TOLERANCE, make_golden, save_golden
from app.artifacts.manifest import (
    GOLDEN,
    MANIFEST,
    SCHEMA_VERSION,
    WEIGHTS,
    CalibrationRecord,
    DetectorRecord,
    GoldenRecord,
    Manifest,
    PreprocessingRecord,
    Protocol,
    Provenance,
    QualityRecord,
    SeenRecord,
    ThresholdRecord,
    TilingRecord,
    TrainingRecord,
)
from app.artifacts.repository import Entry, ModelRepository
from app.artifacts.taught import TaughtRecord
from app.artifacts.versions import VersionAction
from app.artifacts.zones import ZonesRecord
from app.errors import InvalidArtifact
from app.files import digest, flush, locked, naming, sweep, unfinished_directory
from app.pipeline import NormalPatches, TiledModel
from app.tensor_files import write_tensors
from app.tiling import Size
from app.version import VERSION


@dataclass(frozen=True, slots=True)
class ModelRecord:
    """The contents of the manifest that cannot be derived from the model itself."""

    protocol: Protocol
    calibration_pictures: int
    false_positive_rate: float | None
    dataset: str
    pictures: int
    backbone_weights: str
    picture_sizes: tuple[Size, ...] = ()
    seed: int | None = None
    metrics: dict[str, float] = field(default_factory=dict)
    anomalous_pictures: int = 0
    training: TrainingRecord | None = None
    quality: QualityRecord | None = None
    seen: SeenRecord | None = None
    thresholds: ThresholdRecord | None = None
    camera: BaselineRecord | None = None
    normal_level: float | None = None
    evidence: NormalPatches | None = None
    taught: TaughtRecord | None = None


def write_artifact(model: TiledModel, repository: ModelRepository, name: str, record: ModelRecord) -> Entry:
    """Writes a calibrated model as the next version of `name`, and returns it.

    Raises InvalidArtifact or InvalidName.
    """
    if model.calibration is None:
        raise InvalidArtifact("a model must be calibrated before it is written")
    files = partial(_write_tensors, model, record.evidence)
    source = f"{name}:{record.taught.base}" if record.taught else ""
    return write_version(repository, name, files, partial(_manifest, model, name, record), source=source)


def write_version(
    repository: ModelRepository,
    name: str,
    write_files: Callable[[Path], None],
    describe: Callable[[int, dict[str, str]], Manifest],
    action: VersionAction = "write",
    source: str = "",
    by: str = "",
) -> Entry:
    """Writes the next version of a model, and returns it; raises InvalidName or InvalidServing.

    `write_files` writes weights and golden sample into a directory. `describe` returns the manifest of a version with
    these SHA-256 of the files; what it raises ends the writing. The history of the model gets `action`, `source`
    (`NAME:VERSION`) and `by` (empty: the user of the process). Processes that write versions of the same model wait for
    each other. Unfinished directories of killed processes are removed. If the
    model joins the only other one, `default` keeps its meaning.
    """
    others = {entry.name for entry in repository.entries()} - {name}
    parent = repository.prepare(name)
    sweep(parent)
    with naming(parent), locked(parent, wait=True), unfinished_directory(parent) as temporary:
        write_files(temporary)
        if len(others) == 1 and not repository.versions(name):
            record_default(repository.root, *others)
        record = partial(repository.record, name, action, source=source, by=by)
        return _renamed(repository, name, describe, record, temporary)


def _renamed(
    repository: ModelRepository,
    name: str,
    describe: Callable[[int, dict[str, str]], Manifest],
    record: Callable[[int], None],
    temporary: Path,
) -> Entry:
    """Adds the manifest to the temporary directory, and renames the directory to the version's number."""
    files = {file: digest(temporary / file) for file in (WEIGHTS, GOLDEN)}
    while True:  # on a file system without locks, another process may take the number first
        version = repository.next_version(name)
        _write_manifest(describe(version, files), temporary)
        _make_readable(temporary)
        # Recorded before the rename: after a crash a number is missing, and none is used twice.
        record(version)
        target = temporary.parent / str(version)
        try:
            temporary.rename(target)
        except OSError:
            if target.exists():
                continue
            raise
        flush(temporary.parent)
        return Entry(name, version, target)


def _write_tensors(model: TiledModel, evidence: NormalPatches | None, directory: Path) -> None:
    state = {key: tensor.detach().cpu().contiguous() for key, tensor in model.detector.state_dict().items()}
    if evidence is not None:
        state |= evidence_tensors(evidence)
    write_tensors(state, directory / WEIGHTS)
    save_golden(make_golden(model.with_zones(None)), directory / GOLDEN)


def _manifest(model: TiledModel, name: str, record: ModelRecord, version: int, files: dict[str, str]) -> Manifest:
    assert model.calibration is not None
    return Manifest(
        schema_version=SCHEMA_VERSION,
        name=name,
        version=version,
        detector=DetectorRecord.model_validate(
            {"name": model.detector.name, "parameters": model.detector.parameters_of_model}
        ),
        preprocessing=PreprocessingRecord.model_validate(asdict(model.preprocessing)),
        tiling=TilingRecord.model_validate(asdict(model.tiling)),
        calibration=CalibrationRecord.model_validate(
            {
                "protocol": record.protocol,
                "pictures": record.calibration_pictures,
                "anomalous_pictures": record.anomalous_pictures,
                "false_positive_rate": record.false_positive_rate,
                **asdict(model.calibration),
                "thresholds": record.thresholds,
                "normal_level": record.normal_level,
            }
        ),
        metrics=record.metrics,
        provenance=Provenance(
            created_at=datetime.now(UTC).isoformat(timespec="seconds"),
            tessera_version=VERSION,
            torch_version=torch.__version__,
            dataset=record.dataset,
            pictures=record.pictures,
            picture_sizes=record.picture_sizes,
            backbone_weights=record.backbone_weights,
            seed=record.seed,
        ),
        training=record.training,
        quality=record.quality,
        golden=GoldenRecord(tolerance=TOLERANCE),
        files=files,
        seen=record.seen,
        camera=record.camera,
        zones=None if model.zones is None else ZonesRecord.of(model.zones),
        taught=record.taught,
    )


def _write_manifest(manifest: Manifest, directory: Path) -> None:
    (directory / MANIFEST).write_text(manifest.model_dump_json(indent=2) + "\n", encoding="utf-8")
    for file in (WEIGHTS, GOLDEN, MANIFEST):
        flush(directory / file)
    flush(directory)


def _make_readable(directory: Path) -> None:
    """Lets servers of other users read the files: mkdtemp and safetensors give access to the owner only.

    Files that another version shares keep their access rights.
    """
    directory.chmod(0o755)
    for path in directory.iterdir():
        if path.stat().st_nlink == 1:
            path.chmod(0o644)
