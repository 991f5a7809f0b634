"""The bodies of the served models and their versions."""

from typing import Self

from pydantic import BaseModel, Field, FiniteFloat, JsonValue

from app.api.schemas.calibration import CalibrationBody
from app.api.schemas.certificate import CertificateBody
from app.api.schemas.execution import ExecutionBody
from app.api.schemas.quality import QualityBody, SecondStageBody
from app.api.schemas.refusal import ErrorBody
from app.api.schemas.tiling import SizeBody, TilingBody
from app.api.schemas.zone import ZoneBody
from app.artifacts import Artifact
from app.service import ServedModel, Stage, VersionState, VersionStatus


class DetectorBody(BaseModel):
    """The detector and its parameters."""

    name: str = Field(description="Name of the detector.", examples=["patchcore"])
    parameters: dict[str, JsonValue] = Field(
        description="Parameters of the training. Their names depend on the detector.",
        examples=[{"backbone": "resnet18", "layers": ["layer2", "layer3"]}],
    )


class ProvenanceBody(BaseModel):
    """The origin of the model."""

    created_at: str = Field(description="Time of the training: UTC, ISO 8601.", examples=["2026-11-02T09:30:00+00:00"])
    tessera_version: str = Field(description="Version of Tessera that wrote the model.", examples=["0.2.0"])
    dataset: str = Field(description="Name of the dataset.", examples=["surface"])
    pictures: int = Field(description="Number of training pictures.", examples=[160])
    backbone_weights: str = Field(
        description="Weights of the backbone before the training.",
        examples=["timm/resnet18.a1_in1k"],
    )


class DetailsBody(BaseModel):
    """The details of a served version."""

    digest: str = Field(
        description="SHA-256 of the manifest. The manifest contains the SHA-256 of all other files of the version.",
        examples=["2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"],
    )
    detector: DetectorBody = Field(description="The detector and its parameters.")
    image_size: SizeBody | None = Field(
        description="Size to which pictures are resized before tiling; null if they are not resized.",
    )
    tiling: TilingBody = Field(description="How pictures are cut into tiles.")
    calibration: CalibrationBody = Field(description="The thresholds and how they were calibrated.")
    zones: list[ZoneBody] = Field(
        description="Areas of the picture that do not count, or that have thresholds of their own, as `tessera zones` "
        "sets them."
    )
    metrics: dict[str, FiniteFloat] = Field(
        description="Results of the evaluation at the end of the training.", examples=[{"image_auroc": 0.98}]
    )
    quality: QualityBody | None = Field(
        description="What the training measured of the model; null if it measured nothing."
    )
    certificate: CertificateBody | None = Field(
        description="Which marks the version finds; null if `tessera certify` did not measure it."
    )
    second_stage: SecondStageBody | None = Field(
        description="What confirmed defects added to a taught version; null if they added nothing."
    )
    provenance: ProvenanceBody = Field(description="The origin of the model.")
    execution: ExecutionBody = Field(description="How this server runs the model.")

    @classmethod
    def of(cls, artifact: Artifact) -> Self:
        """The body of an artifact."""
        manifest = artifact.manifest
        size, zones = manifest.preprocessing.image_size, artifact.model.zones
        taught = manifest.taught
        provenance = manifest.provenance.model_dump(include=set(ProvenanceBody.model_fields))
        return cls(
            digest=artifact.digest,
            detector=DetectorBody(name=manifest.detector.name, parameters=manifest.detector.parameters),
            image_size=None if size is None else SizeBody.of(size),
            tiling=TilingBody.of(manifest, artifact.model.grid),
            calibration=CalibrationBody.of(manifest),
            zones=[ZoneBody.of(zone, artifact.calibration) for zone in zones.zones] if zones else [],
            metrics=manifest.metrics,
            quality=None if manifest.quality is None else QualityBody.of(manifest.quality),
            certificate=None if artifact.certificate is None else CertificateBody.of(artifact.certificate),
            second_stage=SecondStageBody.of(taught.second_stage) if taught and taught.second_stage else None,
            provenance=ProvenanceBody.model_validate(provenance),
            execution=ExecutionBody.of(artifact),
        )


class VersionBody(BaseModel):
    """A version of a model."""

    version: int = Field(description="Version number.", examples=[1])
    state: VersionState = Field(description="Whether the version is served.", examples=["ready"])
    stage: Stage = Field(
        description="Whether the version serves requests without a version (live), or is newer (candidate) or older "
        "(earlier) than that version.",
        examples=["live"],
    )
    in_memory: bool = Field(
        default=True,
        description="Whether the model is in memory. If it is not, and the version is ready, the next request for it "
        "waits until it is loaded and verified.",
        examples=[True],
    )
    details: DetailsBody | None = Field(description="Details of a version that is ready and in memory; otherwise null.")
    error: ErrorBody | None = Field(
        description="Reason why the files of the version are refused; otherwise null. A version that is ready and "
        "has an error is still served from its earlier files.",
        examples=[None],
    )

    @classmethod
    def of(cls, status: VersionStatus, stage: Stage) -> Self:
        """The body of a version's status."""
        return cls(
            version=status.entry.version,
            state=status.state,
            stage=stage,
            in_memory=status.artifact is not None,
            details=None if status.artifact is None else DetailsBody.of(status.artifact),
            error=None if status.error is None else ErrorBody.of(status.error),
        )


class ModelBody(BaseModel):
    """A model and its versions."""

    name: str = Field(description="Name of the model in routes.", examples=["demo"])
    default: bool = Field(description="Whether the name `default` refers to this model.", examples=[True])
    live: int | None = Field(
        description="Version that serves requests without a version; null if there is none.", examples=[1]
    )
    pinned: int | None = Field(
        description="Version that was chosen to be live; null if the newest version that is ready is live. Differs "
        "from `live` if the chosen version is still being loaded, or is refused.",
        examples=[1],
    )
    newest: int | None = Field(description="The same as `live`.", deprecated=True, examples=[1])
    versions: list[VersionBody] = Field(description="All versions, the oldest first.")

    @classmethod
    def of(cls, model: ServedModel) -> Self:
        """The body of a model."""
        return cls(
            name=model.name,
            default=model.default,
            live=model.live,
            pinned=model.pin.version,
            newest=model.live,
            versions=[VersionBody.of(status, model.stage(status.entry.version)) for status in model.versions],
        )


class ModelListBody(BaseModel):
    """All models."""

    models: list[ModelBody] = Field(description="The models, sorted by name.")
