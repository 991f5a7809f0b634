"""The body of a prediction."""

from base64 import b64encode
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, JsonValue

from app.pipeline import DefectRegion, Label
from app.service import Predicted, Timings
from app.service.pictures import Extras
from app.service.tile_scores import TileScore


class ModelRefBody(BaseModel):
    """The model that answered."""

    name: str = Field(examples=["demo"])
    version: int = Field(examples=[1])
    detector: str = Field(examples=["patchcore"])
    digest: str = Field(
        description="SHA-256 of the version's manifest, which holds those of its files.", examples=["9f86d081" * 8]
    )


class ImageSizeBody(BaseModel):
    """The uploaded picture's size in pixels, after its EXIF rotation."""

    width: int
    height: int


class BoxBody(BaseModel):
    """A rectangle in pixels of the uploaded picture."""

    x: int
    y: int
    width: int
    height: int


class PointBody(BaseModel):
    """A pixel of the uploaded picture."""

    x: int
    y: int


class RegionBody(BaseModel):
    """Connected pixels whose anomaly exceeds the threshold."""

    box: BoxBody
    area: int = Field(description="How many pixels.")
    score: FiniteFloat = Field(description="The largest normalised value in it, over `threshold` and at most 1.")
    peak: PointBody = Field(description="Where that is.")

    @classmethod
    def of(cls, region: DefectRegion) -> Self:
        """The body of a region."""
        row, column = region.peak
        return cls(
            box=BoxBody(x=region.left, y=region.top, width=region.width, height=region.height),
            area=region.area,
            score=region.score,
            peak=PointBody(x=column, y=row),
        )


class TileBody(BaseModel):
    """A tile of the picture."""

    row: int
    column: int
    box: BoxBody = Field(description="The part of the uploaded picture that it shows.")
    score: FiniteFloat = Field(description="The largest normalised value in it.")

    @classmethod
    def of(cls, tile: TileScore) -> Self:
        """The body of a tile."""
        box = BoxBody(x=tile.left, y=tile.top, width=tile.width, height=tile.height)
        return cls(row=tile.row, column=tile.column, box=box, score=tile.score)


class TilesBody(BaseModel):
    """How the picture was tiled."""

    rows: int
    columns: int
    count: int
    items: list[TileBody] | None = Field(default=None, description="With `include=tiles`: all of them, row by row.")


class TimingBody(BaseModel):
    """Milliseconds since the upload was read, by what was done meanwhile; `total` is the sum of the others."""

    decode: FiniteFloat = Field(description="Reading the header, and decoding.")
    queue: FiniteFloat = Field(description="Waiting: nothing was done for this picture, for others were worked on.")
    device: FiniteFloat = Field(
        description="The picture's share of the batches that its tiles were in, by their number, and its map."
    )
    render: FiniteFloat = Field(description="Finding regions, and drawing what was asked for.")
    total: FiniteFloat = Field(description="From the upload's end to the answer's.")

    @classmethod
    def of(cls, timings: Timings) -> Self:
        """The body of timings."""
        seconds = (timings.decode_s, timings.queue_s, timings.device_s, timings.render_s, timings.total_s)
        decode, queue, device, render, total = (round(1000 * each, 3) for each in seconds)
        return cls(decode=decode, queue=queue, device=device, render=render, total=total)


EXAMPLE: dict[str, JsonValue] = {
    "model": {"name": "demo", "version": 1, "detector": "patchcore", "digest": "9f86d081" * 8},
    "image": {"width": 1280, "height": 960},
    "score": 0.83,
    "raw_score": 41.7,
    "label": "anomalous",
    "threshold": 0.5,
    "regions": [
        {
            "box": {"x": 412, "y": 96, "width": 71, "height": 18},
            "area": 904,
            "score": 0.91,
            "peak": {"x": 447, "y": 104},
        }
    ],
    "tiles": {"rows": 7, "columns": 9, "count": 63},
    "timing_ms": {"decode": 14.2, "queue": 0.1, "device": 402.8, "render": 11.0, "total": 429.5},
}


class PredictionBody(BaseModel):
    """What a model says of a picture."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})

    model: ModelRefBody
    image: ImageSizeBody
    score: FiniteFloat = Field(ge=0, le=1, description="Normalised: over `threshold` the picture is anomalous.")
    raw_score: FiniteFloat = Field(description="The detector's own score, higher when more anomalous.")
    label: Label
    threshold: FiniteFloat = Field(
        ge=0, le=1, description="Of all normalised scores: the `threshold` that was asked for, or 0.5, the model's own."
    )
    regions: list[RegionBody] = Field(description="Defects, the most anomalous first.")
    tiles: TilesBody
    timing_ms: TimingBody
    heatmap: str | None = Field(
        default=None, description="With `include=heatmap`: PNG of the picture's size, base64.", examples=[None]
    )
    mask: str | None = Field(
        default=None,
        description="With `include=mask`: PNG, white where the regions are, base64.",
        examples=[None],
    )

    @classmethod
    def of(cls, predicted: Predicted, timings: Timings, extras: Extras) -> Self:
        """The body of a prediction with what was asked for besides."""
        prediction = predicted.prediction
        height, width = predicted.image.shape[-2:]
        return cls(
            model=_model(predicted),
            image=ImageSizeBody(width=width, height=height),
            score=prediction.score,
            raw_score=prediction.raw_score,
            label=prediction.label,
            threshold=prediction.criteria.threshold,
            regions=[RegionBody.of(region) for region in prediction.regions],
            tiles=_tiles(predicted, extras),
            timing_ms=TimingBody.of(timings),
            heatmap=_base64(extras.heatmap),
            mask=_base64(extras.mask),
        )


def _model(predicted: Predicted) -> ModelRefBody:
    artifact = predicted.artifact
    detector = artifact.manifest.detector.name
    return ModelRefBody(name=artifact.name, version=artifact.version, detector=detector, digest=artifact.digest)


def _tiles(predicted: Predicted, extras: Extras) -> TilesBody:
    plan = predicted.plan
    items = None if extras.tiles is None else [TileBody.of(tile) for tile in extras.tiles]
    return TilesBody(rows=plan.rows, columns=plan.columns, count=plan.count, items=items)


def _base64(content: bytes | None) -> str | None:
    return None if content is None else b64encode(content).decode("ascii")
