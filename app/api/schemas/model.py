"""The bodies that describe the served models."""

from dataclasses import asdict
from typing import Self

from pydantic import BaseModel, Field, FiniteFloat, JsonValue

from app.api.problem_codes import RefusalCode
from app.artifacts import Artifact, Manifest, QualityRecord, ThresholdRecord
from app.detectors import Codes, SearchChoice, SearchMethod, SearchMode
from app.errors import TesseraError
from app.runtime import Candidate, Kernels, Precision, Runtime
from app.service import ServedModel, VersionState, VersionStatus
from app.tiling import Blend, PaddingFill, TilingMode
from app.trials import Trial


class ErrorBody(BaseModel):
    """The reason why the files of a version are refused."""

    code: RefusalCode = Field(description="The reason as a code.", examples=["digest_mismatch"])
    message: str = Field(
        description="The reason as a sentence.",
        examples=["weights.safetensors is not the file that was written: its SHA-256 differs from the manifest's"],
    )

    @classmethod
    def of(cls, error: TesseraError) -> Self:
        """The body of an error."""
        known = error.code in list(RefusalCode)
        return cls(code=RefusalCode(error.code) if known else RefusalCode.INVALID_ARTIFACT, message=str(error))


class DetectorBody(BaseModel):
    """The detector and its parameters."""

    name: str = Field(description="Name of the detector.", examples=["patchcore"])
    parameters: dict[str, JsonValue] = Field(
        description="Parameters of the training. Their names depend on the detector.",
        examples=[{"backbone": "resnet18", "layers": ["layer2", "layer3"]}],
    )


class SizeBody(BaseModel):
    """A size in pixels."""

    width: int = Field(description="Width in pixels.", examples=[256])
    height: int = Field(description="Height in pixels.", examples=[256])

    @classmethod
    def of(cls, size: tuple[int, int]) -> Self:
        """The body of `(height, width)`."""
        return cls(width=size[1], height=size[0])


class TilingBody(BaseModel):
    """How pictures are cut into tiles."""

    enable: bool = Field(
        description="Whether pictures are cut into tiles. If false, the whole picture is one tile and the "
        "other fields have no effect.",
        examples=[True],
    )
    tile_size: SizeBody = Field(description="Size of a tile, without its halo.")
    stride: SizeBody = Field(description="Distance between the starts of neighbouring tiles.")
    remove_border_count: int = Field(
        description="Pixels at each edge of a tile that are ignored where another tile shows the same place.",
        examples=[0],
    )
    mode: TilingMode = Field(description="How a picture is fitted to a whole number of tiles.")
    blend: Blend = Field(description="How overlapping tiles are weighted.")
    halo: int = Field(
        description="Pixels of context around each tile. The network sees them; the result of the tile leaves "
        "them out.",
        examples=[0],
    )

    padding_fill: PaddingFill = Field(description="What tiles and halos contain outside the picture.")
    thumbnail: bool = Field(
        description="Whether the whole picture, resized to the size of a tile, is one more tile. It shows what is "
        "larger than a tile, what is missing, and what is at a wrong place.",
        examples=[False],
    )

    @classmethod
    def of(cls, manifest: Manifest) -> Self:
        """The body of the tiling in a manifest."""
        record = manifest.tiling
        return cls(
            enable=record.enable,
            tile_size=SizeBody.of(record.tile_size),
            stride=SizeBody.of(record.stride),
            remove_border_count=record.remove_border_count,
            mode=record.mode,
            blend=record.blend,
            halo=record.halo,
            padding_fill=record.padding_fill,
            thumbnail=record.thumbnail,
        )


class LimitsBody(BaseModel):
    """The 95 % confidence limits of a threshold, without its margin."""

    low: FiniteFloat = Field(description="Lower limit.", examples=[24.2])
    high: FiniteFloat = Field(description="Upper limit.", examples=[26.3])


class ThresholdsBody(BaseModel):
    """How certain thresholds are that were computed from normal pictures."""

    method: str = Field(description="Distribution that was fitted to the values.", examples=["gumbel"])
    image_limits: LimitsBody = Field(description="Limits of `image_threshold`.")
    image_margin: FiniteFloat = Field(
        description="Least distance between `image_threshold` and the scores of normal pictures below it, so that "
        "rounding does not change labels.",
        examples=[0.02],
    )
    pixel_limits: LimitsBody = Field(description="Limits of `pixel_threshold`.")
    pixel_margin: FiniteFloat = Field(
        description="Least distance between `pixel_threshold` and the values of normal pixels below it.",
        examples=[0.02],
    )

    @classmethod
    def of(cls, record: ThresholdRecord) -> Self:
        """The body of the record in a manifest."""
        (image_low, image_high), (pixel_low, pixel_high) = record.image_limits, record.pixel_limits
        return cls(
            method=record.method,
            image_limits=LimitsBody(low=image_low, high=image_high),
            image_margin=record.image_margin,
            pixel_limits=LimitsBody(low=pixel_low, high=pixel_high),
            pixel_margin=record.pixel_margin,
        )


class CalibrationBody(BaseModel):
    """The thresholds and how they were calibrated."""

    protocol: str = Field(
        description="Kind of the pictures that the thresholds were calibrated on.",
        examples=["held-out-normal"],
    )
    pictures: int = Field(description="Number of pictures that the thresholds were calibrated on.", examples=[40])
    anomalous_pictures: int = Field(description="Number of these pictures that show defects.", examples=[0])
    false_positive_rate: FiniteFloat | None = Field(
        description="Requested rate of false alarms; null if labelled defects determine the thresholds.",
        examples=[0.05],
    )
    image_threshold: FiniteFloat = Field(description="Pictures with a higher raw score are anomalous.", examples=[25.1])
    image_min: FiniteFloat = Field(description="Raw score at the low end of the scale.", examples=[0.0])
    image_max: FiniteFloat = Field(
        description="Raw score at the high end of the scale. The normalised score is (raw - threshold) / (max - "
        "min) + 0.5, limited to [0, 1].",
        examples=[50.2],
    )
    pixel_threshold: FiniteFloat = Field(
        description="Pixels with a higher value in the raw map are anomalous.",
        examples=[23.8],
    )
    pixel_min: FiniteFloat = Field(description="Value of the raw map at the low end of its scale.", examples=[0.0])
    pixel_max: FiniteFloat = Field(
        description="Value of the raw map at the high end of its scale. Values of the map are normalised with the "
        "formula of the scores.",
        examples=[47.6],
    )
    thresholds: ThresholdsBody | None = Field(
        description="How certain the thresholds are; null if they were not computed from a distribution."
    )
    calibrated_from: int | None = Field(
        description="Version whose weights these are, if only the thresholds were set anew; otherwise null.",
        examples=[None],
    )

    @classmethod
    def of(cls, manifest: Manifest) -> Self:
        """The body of the calibration in a manifest."""
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
            thresholds=None if record.thresholds is None else ThresholdsBody.of(record.thresholds),
            calibrated_from=manifest.provenance.calibrated_from,
        )


class FalseAlarmsBody(BaseModel):
    """False alarms among normal pictures, each scored by a model that was not fitted to it."""

    pictures: int = Field(description="Number of normal pictures.", examples=[160])
    exceeded: int = Field(description="Number of these pictures whose score exceeds the threshold.", examples=[7])
    low: FiniteFloat = Field(
        description="Lower end of the 95 % interval of the rate of false alarms.", examples=[0.018]
    )
    high: FiniteFloat = Field(
        description="Upper end of the 95 % interval of the rate of false alarms.", examples=[0.088]
    )


class DefectSizeBody(BaseModel):
    """Synthetic defects of one size in normal pictures that the model was not fitted to."""

    diameter: int = Field(description="Diameter in pixels of the picture.", examples=[12])
    tried: int = Field(description="Number of defects that were drawn.", examples=[24])
    found: int = Field(description="Number of these defects in which the model finds a region.", examples=[23])


class QualityBody(BaseModel):
    """What the training measured of the model, without pictures of real defects."""

    false_alarms: FalseAlarmsBody | None = Field(
        description="False alarms among normal pictures; null if they were not measured."
    )
    smallest_defect: int | None = Field(
        description="Smallest diameter in pixels of which, as of all larger ones, at least 90 % of the synthetic "
        "defects are found; null if there is none.",
        examples=[12],
    )
    defects: list[DefectSizeBody] = Field(description="Synthetic defects by rising diameter; empty if none were tried.")

    @classmethod
    def of(cls, record: QualityRecord) -> Self:
        """The body of the record in a manifest."""
        return cls.model_validate(record.model_dump() | {"smallest_defect": record.smallest_defect})


class ProvenanceBody(BaseModel):
    """The origin of the model."""

    created_at: str = Field(description="Time of the training: UTC, ISO 8601.", examples=["2026-11-02T09:30:00+00:00"])
    tessera_version: str = Field(description="Version of Tessera that wrote the model.", examples=["0.1.0"])
    dataset: str = Field(description="Name of the dataset.", examples=["surface"])
    pictures: int = Field(description="Number of training pictures.", examples=[160])
    backbone_weights: str = Field(
        description="Weights of the backbone before the training.",
        examples=["timm/resnet18.a1_in1k"],
    )


class TrialBody(BaseModel):
    """A way to run the network, measured when the model was loaded."""

    precision: Precision = Field(description="Number format of the network's computations.")
    kernels: Kernels = Field(description="Kernels that ran the network.")
    tiles_per_s: FiniteFloat = Field(
        description="Throughput of all lanes together, in tiles per second.",
        examples=[47.2],
    )

    @classmethod
    def of(cls, trial: Trial[Candidate]) -> Self:
        """The body of a trial."""
        candidate = trial.candidate
        tiles_per_s = round(1 / trial.seconds, 2)
        return cls(precision=candidate.precision, kernels=candidate.kernels, tiles_per_s=tiles_per_s)


class SearchBody(BaseModel):
    """How a memory bank is searched for the nearest row."""

    mode: SearchMode = Field(description="The requested accuracy of the search.")
    method: SearchMethod = Field(description="The algorithm of the search.")
    codes: Codes | None = Field(
        description="Number format of the codes that bounds are computed from; null if the search uses no bounds.",
        examples=["bfloat16"],
    )
    queries_at_once: int | None = Field(
        description="Largest number of patches that are compared with the bank in one step; null if no number was "
        "chosen.",
        examples=[512],
    )

    @classmethod
    def of(cls, search: SearchChoice) -> Self:
        """The body of a search."""
        return cls.model_validate(asdict(search))


class ExecutionBody(BaseModel):
    """How this server runs the model."""

    devices: list[str] = Field(description="Devices that compute.", examples=[["cpu"]])
    runtime: Runtime = Field(
        description="Library that runs the network.",
    )
    kernels: Kernels = Field(description="Kernels that run the network.")
    precision: Precision = Field(description="Number format of the network's computations.")
    batch_tiles: int = Field(description="Largest number of tiles in a batch.", examples=[16])
    lanes: int | None = Field(
        description="Largest number of pictures that a CPU processes in parallel; null if all lanes are used.",
        examples=[2],
    )
    search: SearchBody | None = Field(
        description="How the memory bank is searched; null if the detector has no memory bank."
    )
    fallback: str | None = Field(
        description="Reason why the slower modules of the detector run the network; null if they do not.",
        examples=[None],
    )
    trials: list[TrialBody] = Field(
        description="Ways to run the network that were compared on this machine, the fastest first.",
    )

    @classmethod
    def of(cls, artifact: Artifact) -> Self:
        """The body of a loaded model."""
        model, search = artifact.model, artifact.model.detector.search
        return cls(
            devices=[str(each.device) for each in artifact.models],
            runtime=Runtime.torch,
            kernels=model.network.kernels,
            precision=model.network.precision,
            batch_tiles=model.batch_tiles,
            lanes=model.execution.lanes,
            search=None if search is None else SearchBody.of(search),
            fallback=model.execution.fallback,
            trials=[TrialBody.of(trial) for trial in model.execution.trials],
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
    metrics: dict[str, FiniteFloat] = Field(
        description="Results of the evaluation at the end of the training.", examples=[{"image_auroc": 0.98}]
    )
    quality: QualityBody | None = Field(
        description="What the training measured of the model; null if it measured nothing."
    )
    provenance: ProvenanceBody = Field(description="The origin of the model.")
    execution: ExecutionBody = Field(description="How this server runs the model.")

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
            quality=None if manifest.quality is None else QualityBody.of(manifest.quality),
            provenance=ProvenanceBody.model_validate(provenance),
            execution=ExecutionBody.of(artifact),
        )


class VersionBody(BaseModel):
    """A version of a model."""

    version: int = Field(description="Version number.", examples=[1])
    state: VersionState = Field(description="Whether the version is served.", examples=["ready"])
    details: DetailsBody | None = Field(description="Details of a version that is ready; otherwise null.")
    error: ErrorBody | None = Field(
        description="Reason why the files of the version are refused; otherwise null. A version that is ready and "
        "has an error is still served from its earlier files.",
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

    name: str = Field(description="Name of the model in routes.", examples=["demo"])
    default: bool = Field(description="Whether the name `default` refers to this model.", examples=[True])
    newest: int | None = Field(
        description="Version that serves requests without a version; null if no version is ready.", examples=[1]
    )
    versions: list[VersionBody] = Field(description="All versions, the oldest first.")

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

    models: list[ModelBody] = Field(description="The models, sorted by name.")
