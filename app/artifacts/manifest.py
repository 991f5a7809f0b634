"""`manifest.json`: everything about an artifact that is not a tensor."""

import json
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from app.artifacts.golden import REDUCED_PRECISION_TOLERANCE
from app.errors import InvalidArtifact, MissingFile, UnsupportedSchema
from app.pipeline import Preprocessing
from app.scoring import Calibration
from app.tiling import Size, Tiling

SCHEMA_VERSION = 1
Protocol = Literal["held-out-normal", "training-normal", "labelled", "reference", "imported"]
"""How thresholds were found.

On normal pictures that were not trained on, or that were; on pictures with labels, apart from the test; on the test
pictures themselves, as the reference library does; or by the program that trained an imported model.
"""

MANIFEST = "manifest.json"
WEIGHTS = "weights.safetensors"
GOLDEN = "golden.safetensors"


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class DetectorRecord(_Record):
    """Which detector, and the arguments that make one of the same shape."""

    name: str
    parameters: dict[str, JsonValue]


class PreprocessingRecord(_Record):
    """See app.pipeline.Preprocessing."""

    image_size: Size | None
    antialias: bool
    mean: tuple[float, float, float]
    std: tuple[float, float, float]

    def build(self) -> Preprocessing:
        """The value that the pipeline takes."""
        return Preprocessing(self.image_size, self.antialias, self.mean, self.std)


class TilingRecord(_Record):
    """See app.tiling.Tiling."""

    enable: bool
    tile_size: Size
    stride: Size
    remove_border_count: int
    mode: Literal["padding", "interpolation"]
    blend: Literal["mean", "gaussian"]
    halo: int

    def build(self) -> Tiling:
        """The value that the pipeline takes; raises InvalidTiling."""
        return Tiling(
            self.enable, self.tile_size, self.stride, self.remove_border_count, self.mode, self.blend, self.halo
        )


class CalibrationRecord(_Record):
    """See app.scoring.Calibration; how the thresholds were found, and on how many pictures."""

    protocol: Protocol
    pictures: int = Field(description="those with defects included")
    anomalous_pictures: int = 0
    false_positive_rate: float | None = Field(description="that was aimed at; null where defects set the thresholds")
    image_threshold: float
    image_min: float
    image_max: float
    pixel_threshold: float
    pixel_min: float
    pixel_max: float

    def build(self) -> Calibration:
        """The value that the pipeline takes."""
        return Calibration(
            self.image_threshold,
            self.image_min,
            self.image_max,
            self.pixel_threshold,
            self.pixel_min,
            self.pixel_max,
        )


class GoldenRecord(_Record):
    """How far the golden output may be off on another machine, as a share of the golden map's largest value."""

    tolerance: float = Field(gt=0, lt=1)
    reduced_precision_tolerance: float = Field(default=REDUCED_PRECISION_TOLERANCE, gt=0, lt=1)


class Provenance(_Record):
    """Where the artifact comes from."""

    created_at: str = Field(description="UTC, ISO 8601")
    tessera_version: str
    torch_version: str
    dataset: str
    pictures: int = Field(description="trained on; those held out for calibration are not counted")
    backbone_weights: str
    seed: int | None


class TrainingRecord(_Record):
    """How training by gradient descent went."""

    max_epochs: int
    precision: Literal["auto", "32", "bf16", "16"]
    losses: list[float] = Field(description="of each epoch, the mean over its steps")
    validations: dict[int, dict[str, float]] = Field(description="by the epoch, from 1, after which they were measured")
    best_epoch: int | None = Field(description="whose networks these are; null: the last one's")


class Manifest(_Record):
    """The whole file."""

    schema_version: int
    name: str
    version: int
    detector: DetectorRecord
    preprocessing: PreprocessingRecord
    tiling: TilingRecord
    calibration: CalibrationRecord
    metrics: dict[str, float]
    provenance: Provenance
    training: TrainingRecord | None = None
    golden: GoldenRecord
    files: dict[str, str] = Field(description="SHA-256 of each file, in hexadecimal")


def read_manifest(directory: Path) -> Manifest:
    """The manifest of an artifact; raises MissingFile, UnsupportedSchema or InvalidArtifact."""
    path = directory / MANIFEST
    try:
        content = json.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise MissingFile(f"{path} is missing") from error
    except (OSError, ValueError) as error:
        raise InvalidArtifact(f"{path} is not a readable JSON file: {error}") from error
    schema = content.get("schema_version") if isinstance(content, dict) else None
    if isinstance(schema, int) and schema > SCHEMA_VERSION:
        raise UnsupportedSchema(
            f"{path} follows schema {schema}, and this Tessera knows up to {SCHEMA_VERSION}; serve it with a newer one"
        )
    try:
        return Manifest.model_validate_json(json.dumps(content))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "the file"
        raise InvalidArtifact(f"{path} is not a valid manifest: {place}: {first['msg']}") from error
