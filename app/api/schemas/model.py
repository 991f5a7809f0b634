"""The bodies that tell what is served."""

from dataclasses import asdict
from typing import Literal, Self, get_args

from pydantic import BaseModel, Field, FiniteFloat, JsonValue

from app.api.problem_codes import RefusalCode
from app.artifacts import Artifact, Manifest
from app.detectors import SearchChoice
from app.errors import TesseraError
from app.runtime import Candidate
from app.service import ServedModel, VersionStatus
from app.trials import Trial

StateName = Literal["loading", "ready", "failed"]
TilingModeName = Literal["padding", "interpolation"]
BlendName = Literal["mean", "gaussian"]
RuntimeName = Literal["torch"]
PrecisionName = Literal["float32", "bfloat16", "float16"]
KernelsName = Literal["winograd", "fused", "plain", "graphs", "modules"]
SearchModeName = Literal["auto", "exact", "approximate"]
SearchMethodName = Literal["bounds", "kernels", "blocks"]
CodesName = Literal["int8", "bfloat16", "float32"]


class ErrorBody(BaseModel):
    """Why a version is not served."""

    code: RefusalCode = Field(description="The reason, for programs.", examples=["digest_mismatch"])
    message: str = Field(
        description="The reason, for people.",
        examples=["weights.safetensors is not the file that was written: its SHA-256 differs from the manifest's"],
    )

    @classmethod
    def of(cls, error: TesseraError) -> Self:
        """The body of an error."""
        known = error.code in list(RefusalCode)
        return cls(code=RefusalCode(error.code) if known else RefusalCode.INVALID_ARTIFACT, message=str(error))


class DetectorBody(BaseModel):
    """The detector and its parameters."""

    name: str = Field(description="Which it is.", examples=["patchcore"])
    parameters: dict[str, JsonValue] = Field(
        description="What it was trained with; which there are depends on the detector.",
        examples=[{"backbone": "resnet18", "layers": ["layer2", "layer3"]}],
    )


class SizeBody(BaseModel):
    """A size in pixels."""

    width: int = Field(description="Pixels in a row.", examples=[256])
    height: int = Field(description="Rows.", examples=[256])

    @classmethod
    def of(cls, size: tuple[int, int]) -> Self:
        """The body of `(height, width)`."""
        return cls(width=size[1], height=size[0])


class TilingBody(BaseModel):
    """How pictures are tiled; without `enable` the whole picture is one tile."""

    enable: bool = Field(description="Whether pictures are tiled.", examples=[True])
    tile_size: SizeBody = Field(description="The size of a tile.")
    stride: SizeBody = Field(description="How far tiles are apart.")
    remove_border_count: int = Field(description="How many pixels at a tile's edge are not used.", examples=[0])
    mode: TilingModeName = Field(description="Whether pictures are padded to whole tiles, or stretched.")
    blend: BlendName = Field(description="Whether overlapping tiles count alike, or more towards their middle.")
    halo: int = Field(description="The pixels of context around a tile that it is computed with.", examples=[0])

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

    protocol: str = Field(description="On which pictures, and how.", examples=["held-out-normal"])
    pictures: int = Field(description="The number of pictures that it was trained on.", examples=[40])
    anomalous_pictures: int = Field(description="How many of them show defects.", examples=[0])
    false_positive_rate: FiniteFloat | None = Field(
        description="The rate of false alarms that was aimed at; null where defects set thresholds.", examples=[0.05]
    )
    image_threshold: FiniteFloat = Field(description="Raw scores over it are anomalous.", examples=[25.1])
    image_min: FiniteFloat = Field(description="The raw score at the low end of the scale.", examples=[0.0])
    image_max: FiniteFloat = Field(
        description="And at its high end: normalised scores are (raw - threshold) / (max - min) + 0.5, within [0, 1].",
        examples=[50.2],
    )
    pixel_threshold: FiniteFloat = Field(description="Values of the raw map over it are anomalous.", examples=[23.8])
    pixel_min: FiniteFloat = Field(description="The raw map's value at the low end of its scale.", examples=[0.0])
    pixel_max: FiniteFloat = Field(
        description="And at its high end, by which values of the map are normalised as scores are.", examples=[47.6]
    )

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
            image_min=record.image_min,
            image_max=record.image_max,
            pixel_threshold=record.pixel_threshold,
            pixel_min=record.pixel_min,
            pixel_max=record.pixel_max,
        )


class ProvenanceBody(BaseModel):
    """Where the model comes from."""

    created_at: str = Field(description="When it was trained: UTC, ISO 8601.", examples=["2026-11-02T09:30:00+00:00"])
    tessera_version: str = Field(description="By which Tessera.", examples=["0.1.0"])
    dataset: str = Field(description="On what.", examples=["surface"])
    pictures: int = Field(description="On how many pictures.", examples=[160])
    backbone_weights: str = Field(description="From which weights.", examples=["timm/resnet18.a1_in1k"])


class TrialBody(BaseModel):
    """A way to run the network that was measured when the model was loaded."""

    precision: PrecisionName = Field(description="What the network was computed in.")
    kernels: KernelsName = Field(description="What ran it.")
    tiles_per_s: FiniteFloat = Field(description="How fast it was, side by side in all lanes.", examples=[47.2])

    @classmethod
    def of(cls, trial: Trial[Candidate]) -> Self:
        """The body of a trial."""
        candidate = trial.candidate
        tiles_per_s = round(1 / trial.seconds, 2)
        return cls(precision=candidate.precision, kernels=candidate.kernels, tiles_per_s=tiles_per_s)


class SearchBody(BaseModel):
    """How a memory bank is searched."""

    mode: SearchModeName = Field(
        description="What was asked for: auto and exact find the nearest row, approximate may take another one whose "
        "distance is at most 11 % larger."
    )
    method: SearchMethodName = Field(
        description="What is done: rows are ruled out by bounds (bounds), fused kernels of a GPU (kernels), or all "
        "distances are computed (blocks)."
    )
    codes: CodesName | None = Field(
        description="The number format in which bounds are computed; null: they are not.", examples=["bfloat16"]
    )
    queries_at_once: int | None = Field(
        description="The largest number of patches that are compared with the bank in one step; null: not chosen.",
        examples=[512],
    )

    @classmethod
    def of(cls, search: SearchChoice) -> Self:
        """The body of a search."""
        return cls.model_validate(asdict(search))


class ExecutionBody(BaseModel):
    """How a model is run here."""

    devices: list[str] = Field(description="What computes.", examples=[["cpu"]])
    runtime: RuntimeName = Field(
        description="The library that runs the network.",
        json_schema_extra={"enum": list(get_args(RuntimeName))},
    )
    kernels: KernelsName = Field(
        description="What runs it: oneDNN's fused kernels, with or without Winograd's transforms (winograd, fused), "
        "torch's own (plain), CUDA graphs (graphs), or the detector's modules (modules)."
    )
    precision: PrecisionName = Field(description="What the network is computed in.")
    batch_tiles: int = Field(description="How many tiles are run at once, at most.", examples=[16])
    lanes: int | None = Field(
        description="On how many pictures a CPU works side by side, at most; null: as many as it has lanes.",
        examples=[2],
    )
    search: SearchBody | None = Field(
        description="How PatchCore's memory bank is searched; null: the detector searches nothing."
    )
    fallback: str | None = Field(
        description="Why the detector's own modules run the network, which is slower; null: there is no such reason.",
        examples=[None],
    )
    trials: list[TrialBody] = Field(description="The ways that were compared on this processor, the fastest first.")

    @classmethod
    def of(cls, artifact: Artifact) -> Self:
        """The body of a loaded model."""
        model, search = artifact.model, artifact.model.detector.search
        return cls(
            devices=[str(each.device) for each in artifact.models],
            runtime="torch",
            kernels=model.network.kernels,
            precision=model.network.precision,
            batch_tiles=model.batch_tiles,
            lanes=model.execution.lanes,
            search=None if search is None else SearchBody.of(search),
            fallback=model.execution.fallback,
            trials=[TrialBody.of(trial) for trial in model.execution.trials],
        )


class DetailsBody(BaseModel):
    """What is known of a version that is served."""

    digest: str = Field(
        description="SHA-256 of its manifest, which holds those of its files.",
        examples=["2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"],
    )
    detector: DetectorBody = Field(description="What was trained.")
    image_size: SizeBody | None = Field(description="To which pictures are resized; null: they stay as they are.")
    tiling: TilingBody = Field(description="How pictures are tiled.")
    calibration: CalibrationBody = Field(description="How its thresholds were found.")
    metrics: dict[str, FiniteFloat] = Field(
        description="What an evaluation at the end of the training measured.", examples=[{"image_auroc": 0.98}]
    )
    provenance: ProvenanceBody = Field(description="Where it comes from.")
    execution: ExecutionBody = Field(description="How it is run here.")

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

    version: int = Field(description="Its number.", examples=[1])
    state: StateName = Field(description="Whether it is served.", examples=["ready"])
    details: DetailsBody | None = Field(description="What is known of it: of a version that is ready.")
    error: ErrorBody | None = Field(
        description="Why its files are refused. One that is ready with an error is served as it was before.",
        examples=[None],
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

    name: str = Field(description="Its name in routes.", examples=["demo"])
    default: bool = Field(description="Whether `default` means this model.", examples=[True])
    newest: int | None = Field(
        description="The version that is served unless one is asked for; null if none is.", examples=[1]
    )
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

    models: list[ModelBody] = Field(description="By name.")
