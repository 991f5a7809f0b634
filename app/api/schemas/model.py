"""The bodies that tell what is served."""

from typing import Literal, Self

from pydantic import BaseModel, Field, FiniteFloat, JsonValue

from app.artifacts import Artifact, Manifest
from app.errors import TesseraError
from app.service import ServedModel, VersionStatus


class ErrorBody(BaseModel):
    """Why a version is not served."""

    code: str = Field(examples=["digest_mismatch"])
    message: str

    @classmethod
    def of(cls, error: TesseraError) -> Self:
        """The body of an error."""
        return cls(code=error.code, message=str(error))


class DetectorBody(BaseModel):
    """The detector and its parameters."""

    name: str = Field(examples=["patchcore"])
    parameters: dict[str, JsonValue] = Field(examples=[{"backbone": "resnet18", "layers": ["layer2", "layer3"]}])


class SizeBody(BaseModel):
    """Pixels."""

    width: int
    height: int

    @classmethod
    def of(cls, size: tuple[int, int]) -> Self:
        """The body of `(height, width)`."""
        return cls(width=size[1], height=size[0])


class TilingBody(BaseModel):
    """How pictures are tiled; without `enable` the whole picture is one tile."""

    enable: bool
    tile_size: SizeBody
    stride: SizeBody
    remove_border_count: int
    mode: Literal["padding", "interpolation"]
    blend: Literal["mean", "gaussian"]
    halo: int

    @classmethod
    def of(cls, manifest: Manifest) -> Self:
        """The body of a manifest's tiling."""
        record = manifest.tiling
        return cls(
            enable=record.enable,
            tile_size=SizeBody.of(record.tile_size),
            stride=SizeBody.of(record.stride),
            remove_border_count=record.remove_border_count,
            mode=record.mode,
            blend=record.blend,
            halo=record.halo,
        )


class CalibrationBody(BaseModel):
    """How the thresholds were found."""

    protocol: str
    pictures: int
    anomalous_pictures: int = Field(description="How many of them show defects.")
    false_positive_rate: FiniteFloat | None = Field(description="That was aimed at; null where defects set thresholds.")
    image_threshold: FiniteFloat = Field(description="Of raw scores.")
    pixel_threshold: FiniteFloat = Field(description="Of the raw map's values.")

    @classmethod
    def of(cls, manifest: Manifest) -> Self:
        """The body of a manifest's calibration."""
        record = manifest.calibration
        return cls(
            protocol=record.protocol,
            pictures=record.pictures,
            anomalous_pictures=record.anomalous_pictures,
            false_positive_rate=record.false_positive_rate,
            image_threshold=record.image_threshold,
            pixel_threshold=record.pixel_threshold,
        )


class ProvenanceBody(BaseModel):
    """Where the model comes from."""

    created_at: str = Field(description="UTC, ISO 8601.")
    tessera_version: str
    dataset: str
    pictures: int = Field(description="How many it was trained on.")
    backbone_weights: str


class ExecutionBody(BaseModel):
    """How a model is run here."""

    devices: list[str] = Field(examples=[["cpu"]])
    runtime: Literal["torch", "onnxruntime"] = Field(description="The library that runs the network.")
    precision: Literal["float32", "bfloat16", "float16"] = Field(description="What the network is computed in.")
    batch_tiles: int = Field(description="How many tiles are run at once, at most.")

    @classmethod
    def of(cls, artifact: Artifact) -> Self:
        """The body of a loaded model."""
        model = artifact.model
        return cls(
            devices=[str(each.device) for each in artifact.models],
            runtime=model.network.runtime,
            precision=model.network.precision,
            batch_tiles=model.batch_tiles,
        )


class DetailsBody(BaseModel):
    """What is known of a version that is served."""

    digest: str = Field(description="SHA-256 of its manifest, which holds those of its files.")
    detector: DetectorBody
    image_size: SizeBody | None = Field(description="To which pictures are resized; null: they stay as they are.")
    tiling: TilingBody
    calibration: CalibrationBody
    metrics: dict[str, FiniteFloat] = Field(examples=[{"image_auroc": 0.98}])
    provenance: ProvenanceBody
    execution: ExecutionBody

    @classmethod
    def of(cls, artifact: Artifact) -> Self:
        """The body of an artifact."""
        manifest = artifact.manifest
        size = manifest.preprocessing.image_size
        provenance = manifest.provenance.model_dump(include=set(ProvenanceBody.model_fields))
        return cls(
            digest=artifact.digest,
            detector=DetectorBody(name=manifest.detector.name, parameters=manifest.detector.parameters),
            image_size=None if size is None else SizeBody.of(size),
            tiling=TilingBody.of(manifest),
            calibration=CalibrationBody.of(manifest),
            metrics=manifest.metrics,
            provenance=ProvenanceBody.model_validate(provenance),
            execution=ExecutionBody.of(artifact),
        )


class VersionBody(BaseModel):
    """A version of a model."""

    version: int
    state: Literal["loading", "ready", "failed"] = Field(description="Whether it is served.")
    details: DetailsBody | None = Field(description="Of a version that is ready.")
    error: ErrorBody | None = Field(
        description="Why its files are refused. One that is ready with an error is served as it was before."
    )

    @classmethod
    def of(cls, status: VersionStatus) -> Self:
        """The body of a version's status."""
        return cls(
            version=status.entry.version,
            state=status.state,
            details=None if status.artifact is None else DetailsBody.of(status.artifact),
            error=None if status.error is None else ErrorBody.of(status.error),
        )


class ModelBody(BaseModel):
    """A model and its versions."""

    name: str = Field(examples=["demo"])
    default: bool = Field(description="Whether `default` means this model.")
    newest: int | None = Field(description="The version that is served unless one is asked for; null if none is.")
    versions: list[VersionBody] = Field(description="The oldest first.")

    @classmethod
    def of(cls, model: ServedModel) -> Self:
        """The body of a model."""
        newest = model.newest
        return cls(
            name=model.name,
            default=model.default,
            newest=None if newest is None else newest.version,
            versions=[VersionBody.of(status) for status in model.versions],
        )


class ModelListBody(BaseModel):
    """All models."""

    models: list[ModelBody]
