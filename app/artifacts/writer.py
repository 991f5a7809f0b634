"""Writes artifacts: all files into a temporary directory beside the final place, which is then renamed."""

import hashlib
import shutil
import tempfile
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version as distribution_version
from pathlib import Path

import torch
from safetensors.torch import save_file

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
    TilingRecord,
    TrainingRecord,
)
from app.artifacts.repository import Entry, ModelRepository
from app.errors import InvalidArtifact
from app.files import flush, locked
from app.pipeline import TiledModel
from app.tiling import Size

UNFINISHED = ".writing-"
"""The prefix of the names of directories that are being written."""


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


def write_artifact(model: TiledModel, repository: ModelRepository, name: str, record: ModelRecord) -> Entry:
    """Writes a calibrated model as the next version of `name`, and returns it. Raises InvalidArtifact or InvalidName.

    Processes that write versions of the same model wait for each other. Unfinished directories of killed processes are
    removed.
    """
    if model.calibration is None:
        raise InvalidArtifact("a model must be calibrated before it is written")
    parent = repository.prepare(name)
    with locked(parent, wait=True) as alone:
        if alone:
            for unfinished in parent.glob(f"{UNFINISHED}*"):
                shutil.rmtree(unfinished, ignore_errors=True)
        temporary = Path(tempfile.mkdtemp(prefix=UNFINISHED, dir=parent))
        try:
            return _written(model, repository, name, record, temporary)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def _written(model: TiledModel, repository: ModelRepository, name: str, record: ModelRecord, temporary: Path) -> Entry:
    """Writes the version into the temporary directory, and renames the directory to the version's number."""
    _write_tensors(model, temporary)
    while True:  # on a file system without locks, another process may take the number first
        version = repository.next_version(name)
        _write_manifest(model, name, version, record, temporary)
        _make_readable(temporary)
        target = temporary.parent / str(version)
        try:
            temporary.rename(target)
        except OSError:
            if target.exists():
                continue
            raise
        flush(temporary.parent)
        return Entry(name, version, target)


def _write_tensors(model: TiledModel, directory: Path) -> None:
    state = {key: tensor.detach().cpu().contiguous() for key, tensor in model.detector.state_dict().items()}
    save_file(state, directory / WEIGHTS)
    save_golden(make_golden(model), directory / GOLDEN)


def _write_manifest(model: TiledModel, name: str, version: int, record: ModelRecord, directory: Path) -> None:
    assert model.calibration is not None
    manifest = Manifest(
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
            }
        ),
        metrics=record.metrics,
        provenance=Provenance(
            created_at=datetime.now(UTC).isoformat(timespec="seconds"),
            tessera_version=distribution_version("tessera"),
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
        files={file: digest(directory / file) for file in (WEIGHTS, GOLDEN)},
        seen=record.seen,
    )
    (directory / MANIFEST).write_text(manifest.model_dump_json(indent=2) + "\n", encoding="utf-8")
    for file in (WEIGHTS, GOLDEN, MANIFEST):
        flush(directory / file)
    flush(directory)


def _make_readable(directory: Path) -> None:
    """Lets servers of other users read the files: mkdtemp and safetensors give access to the owner only."""
    directory.chmod(0o755)
    for path in directory.iterdir():
        path.chmod(0o644)


def digest(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
