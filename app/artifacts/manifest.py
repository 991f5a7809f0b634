"""`manifest.json`: everything about an artifact that is not a tensor."""

import json
from collections.abc import Iterable
from hashlib import sha256
from math import ceil
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError, field_validator

from app.artifacts.camera import BaselineRecord
from app.artifacts.golden import REDUCED_PRECISION_TOLERANCE
from app.artifacts.taught import TaughtRecord
from app.artifacts.zones import ZonesRecord
from app.errors import InvalidArtifact, MissingFile, UnsupportedSchema
from app.files import read_regular
from app.pipeline import Preprocessing
from app.scoring import Calibration
from app.scoring.calibration import LEAST
from app.tiling import Blend, PaddingFill, Size, Tiling, TilingMode

SCHEMA_VERSION = 2
Protocol = Literal[
    "held-out-normal", "cross-conformal", "training-normal", "labelled", "reference", "imported", "manual"
]
"""The source of the thresholds.

held-out-normal: normal pictures that were not trained on
cross-conformal: normal pictures, each measured by a detector that was not fitted to it and its neighbours
training-normal: normal pictures that were trained on
labelled: pictures with labels, separate from the test pictures
reference: the test pictures themselves, as in the reference library
imported: the program that trained an imported model
manual: values that a user gave
"""

MANIFEST = "manifest.json"
WEIGHTS = "weights.safetensors"
GOLDEN = "golden.safetensors"

MOST_BYTES = 8 * 2**20
"""The largest manifest that is read. Those that training writes have less than 1 MiB: most of it are digests."""

MOST_PARAMETERS = 10_000
"""The largest text of a detector's parameters in characters."""

Edge = Annotated[int, Field(ge=1, le=2**16)]
"""The edge of a tile, or of the pictures that tiles are cut from, in pixels."""


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class DetectorRecord(_Record):
    """The detector's name, and the constructor's arguments that make a detector of the same shape."""

    name: str
    parameters: dict[str, JsonValue]

    @field_validator("parameters")
    @classmethod
    def _short(cls, parameters: dict[str, JsonValue]) -> dict[str, JsonValue]:
        if len(json.dumps(parameters)) > MOST_PARAMETERS:
            raise ValueError(f"they have more than {MOST_PARAMETERS:,} characters")
        return parameters


class PreprocessingRecord(_Record):
    """See app.pipeline.Preprocessing."""

    image_size: tuple[Edge, Edge] | None
    antialias: bool
    mean: tuple[float, float, float]
    std: tuple[float, float, float]

    def build(self) -> Preprocessing:
        """The value that the pipeline takes."""
        return Preprocessing(self.image_size, self.antialias, self.mean, self.std)


class TilingRecord(_Record):
    """See app.tiling.Tiling."""

    enable: bool
    tile_size: tuple[Edge, Edge]
    stride: tuple[Edge, Edge]
    remove_border_count: int
    mode: TilingMode
    blend: Blend
    halo: int = Field(le=2**16)
    padding_fill: PaddingFill = PaddingFill.zeros
    thumbnail: bool = False

    def build(self) -> Tiling:
        """The value that the pipeline takes; raises InvalidTiling."""
        return Tiling(**self.model_dump())


MOST_VALUES = 4096
"""The largest number of values of normal pictures that are kept for later thresholds: about 80 kB in a manifest."""


class ThresholdRecord(_Record):
    """How thresholds were computed from normal pictures: `image_*` from their scores, `pixel_*` from their maps."""

    method: Literal["gumbel"] = Field(description="the distribution of the values")
    image_limits: tuple[float, float] = Field(description="95 % confidence limits of the threshold, without margin")
    pixel_limits: tuple[float, float]
    image_margin: float = Field(description="the least distance of normal values under the threshold, for rounding")
    pixel_margin: float
    image_values: tuple[float, ...] = Field(
        default=(),
        max_length=MOST_VALUES,
        description="the scores, rising; of more than 4,096 a part, evenly spread; empty: not kept",
    )
    pixel_values: tuple[float, ...] = Field(default=(), max_length=MOST_VALUES)


def values_kept(values: Iterable[float]) -> tuple[float, ...]:
    """The values of normal pictures that a ThresholdRecord keeps, rising."""
    ordered = sorted(values)
    count = min(len(ordered), MOST_VALUES)
    return tuple(ordered[number * len(ordered) // count - 1] for number in range(1, count + 1))


class CalibrationRecord(_Record):
    """The values of app.scoring.Calibration, the protocol, and the number of pictures that it used."""

    protocol: Protocol
    pictures: int = Field(description="including those with defects")
    anomalous_pictures: int = 0
    false_positive_rate: float | None = Field(description="the requested rate; null if the protocol has none")
    image_threshold: float
    image_min: float
    image_max: float
    pixel_threshold: float
    pixel_min: float
    pixel_max: float
    thresholds: ThresholdRecord | None = None
    normal_level: float | None = Field(
        default=None,
        ge=LEAST,
        description="the value that 0.1 % of the values of the normal pictures' maps exceed; null: not known, or of "
        "pictures that were fitted to",
    )

    def without_values(self) -> Self:
        """The record without the values of normal pictures that set the thresholds."""
        known = self.thresholds
        if known is None:
            return self
        return self.model_copy(update={"thresholds": known.model_copy(update={"image_values": (), "pixel_values": ()})})

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
    """The accepted difference to the golden map on other machines, as a share of the golden map's largest value."""

    tolerance: float = Field(gt=0, lt=1)
    reduced_precision_tolerance: float = Field(default=REDUCED_PRECISION_TOLERANCE, gt=0, lt=1)


class Provenance(_Record):
    """The origin of the artifact."""

    created_at: str = Field(description="UTC, ISO 8601")
    tessera_version: str
    torch_version: str
    dataset: str
    pictures: int = Field(description="training pictures, without those held out for calibration")
    picture_sizes: tuple[Size, ...] = Field(
        default=(),
        description="(height, width) of the pictures fitted and calibrated on, sorted; empty: not known, or too many",
    )
    backbone_weights: str
    seed: int | None
    calibrated_from: int | None = Field(
        default=None, description="the version whose weights these are, if only the thresholds were set anew"
    )
    zones_from: int | None = Field(
        default=None, description="the version whose weights and thresholds these are, if only the zones were changed"
    )
    copied_from: str | None = Field(default=None, max_length=300, description="NAME:VERSION of which this is a copy")


class TrainingRecord(_Record):
    """The course of a training by gradient descent."""

    max_epochs: int
    precision: Literal["auto", "32", "bf16", "16"]
    losses: list[float] = Field(description="for each epoch, the mean over its steps")
    validations: dict[int, dict[str, float]] = Field(description="metrics by the number of the completed epoch, from 1")
    best_epoch: int | None = Field(description="the epoch of the artifact's networks; null: the last")


class FalseAlarmRecord(_Record):
    """False alarms among normal pictures, each scored by a model that was not fitted to it."""

    pictures: int
    exceeded: int = Field(description="the number of pictures whose score exceeds the threshold")
    low: float = Field(description="lower end of the 95 % interval of the rate of false alarms")
    high: float = Field(description="upper end of the 95 % interval of the rate of false alarms")
    bound: float | None = Field(
        default=None, description="the rate of false alarms is not higher, with 95 % confidence; null: not computed"
    )

    def __str__(self) -> str:
        return f"{self.exceeded} of {self.pictures} ({self.low:.1%} to {self.high:.1%})"

    @property
    def caution(self) -> str | None:
        """A sentence that says what the number of pictures cannot exclude; None: the bound was not computed."""
        if self.bound is None:
            return None
        return f"with {self.pictures} pictures, up to {ceil(100 * self.bound)} % false alarms cannot be excluded"


class DefectSizeRecord(_Record):
    """Synthetic defects of one size in normal pictures that the model was not fitted to."""

    diameter: int = Field(description="in pixels of the picture")
    tried: int
    found: int = Field(description="the number of them with a region over the threshold")


class CandidateRecord(_Record):
    """A detector that `--model auto` tried on synthetic defects in normal pictures that it was not fitted to."""

    name: str
    auroc: float = Field(
        description="of the scores of pictures with defects that some candidates find and others do not, by which the "
        "choice is made"
    )
    pixel_auroc: float = Field(description="of the maps' values, with all defects")
    error: float = Field(description="the standard error of the distance to the best auroc")
    chosen: bool


class AlikeRecord(_Record):
    """Normal pictures of a training or calibration that hardly differ, such as copies and blank sheets."""

    pictures: int = Field(description="the number of pictures that were compared")
    alike: int = Field(description="those that differ from an earlier one by less than one grey value, on average")
    example: tuple[str, str] = Field(description="the name of such a picture, and that of the earlier one")

    def __str__(self) -> str:
        copy, original = self.example
        return (
            f"{self.alike} of {self.pictures} differ from another by less than one grey value, such as {copy} from "
            f"{original}"
        )


MAX_UNLIKE = 32
"""The largest number of names of pictures that look least like the rest."""


class QualityRecord(_Record):
    """What a training measured of its own model, without pictures of real defects."""

    false_alarms: FalseAlarmRecord | None = None
    defects: tuple[DefectSizeRecord, ...] = Field(default=(), description="by rising diameter")
    candidates: tuple[CandidateRecord, ...] = Field(
        default=(), max_length=64, description="from which the detector was chosen; empty: it was named"
    )
    alike: AlikeRecord | None = Field(default=None, description="null: all pictures differ, or they were not compared")
    unlike: tuple[str, ...] = Field(
        default=(),
        max_length=MAX_UNLIKE,
        description="the names of pictures that look least like the rest, although they were trained on",
    )

    @property
    def smallest_defect(self) -> int | None:
        """The smallest diameter of which, as of all larger ones, at least 90 % are found; None: there is none."""
        smallest = None
        for size in reversed(self.defects):
            if size.found < 0.9 * size.tried:
                break
            smallest = size.diameter
        return smallest


MAX_DIGESTS = 4096
"""The largest number of digests of a DigestRecord: about 110 kB in a manifest."""


class DigestRecord(_Record):
    """Digests of picture files, so that an evaluation recognises the pictures; see app.data.picture_digest."""

    pictures: int = Field(description="the number of different picture files")
    digests: tuple[str, ...] = Field(description="sorted; of more than 4,096 digests only the smallest")

    @classmethod
    def of(cls, digests: Iterable[str]) -> Self:
        """The record of these digests. The smallest are a random sample, because SHA-256 is uniform."""
        different = sorted(set(digests))
        return cls(pictures=len(different), digests=tuple(different[:MAX_DIGESTS]))


class SeenRecord(_Record):
    """The pictures that determined a model."""

    fitted: DigestRecord | None = Field(description="null: not known")
    calibrated: DigestRecord = Field(description="pictures that set the thresholds, or chose the best epoch")


class Manifest(_Record):
    """The contents of `manifest.json`."""

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
    quality: QualityRecord | None = None
    golden: GoldenRecord
    files: dict[str, str] = Field(description="SHA-256 of each file, in hexadecimal")
    seen: SeenRecord | None = None
    camera: BaselineRecord | None = Field(default=None, description="null: not known, or too few pictures")
    zones: ZonesRecord | None = Field(default=None, description="null: the whole picture counts, by one threshold")
    taught: TaughtRecord | None = Field(default=None, description="null: the version was trained, not taught")

    @property
    def known_sizes(self) -> tuple[Size, ...]:
        """The different (height, width) of the pictures of the model, as far as they are known."""
        found = set(self.provenance.picture_sizes)
        return tuple(sorted(found))


def read_manifest(directory: Path) -> Manifest:
    """The manifest of an artifact; raises MissingFile, UnsupportedSchema or InvalidArtifact."""
    return read_with_digest(directory)[0]


def read_with_digest(directory: Path) -> tuple[Manifest, str]:
    """The manifest of an artifact, and the SHA-256 of its file; raises as `read_manifest`."""
    path = directory / MANIFEST
    try:
        data = read_regular(path, MOST_BYTES)
        content = json.loads(data)
    except FileNotFoundError as error:
        raise MissingFile(f"{path} is missing") from error
    except OSError as error:
        raise InvalidArtifact(f"{path} cannot be read: {error.strerror}") from error
    except RecursionError as error:
        raise InvalidArtifact(f"{path} is not a readable JSON file: it is nested too deeply") from error
    except ValueError as error:
        raise InvalidArtifact(f"{path} is not a readable JSON file: {error}") from error
    schema = content.get("schema_version") if isinstance(content, dict) else None
    if isinstance(schema, int) and schema > SCHEMA_VERSION:
        raise UnsupportedSchema(
            f"{path} follows schema {shortened(schema)}, and this Tessera knows up to {SCHEMA_VERSION}; use a newer "
            "Tessera"
        )
    try:
        return Manifest.model_validate_json(json.dumps(content)), sha256(data).hexdigest()
    except ValidationError as error:
        first = error.errors()[0]
        place = shortened(".".join(str(part) for part in first["loc"]) or "the file")
        raise InvalidArtifact(f"{path} is not a valid manifest: {place}: {shortened(first['msg'])}") from error


def shortened(value: object) -> str:
    """The value as a text of at most 200 characters: a hostile manifest may have keys and numbers of megabytes."""
    text = str(value)
    return text if len(text) <= 200 else f"{text[:200]}..."
