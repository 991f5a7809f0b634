"""The body of a prediction."""

from base64 import b64encode
from typing import Self

from pydantic import BaseModel, Field, FiniteFloat

from app.pipeline import DefectRegion, Label
from app.service import Predicted, Timings
from app.service.pictures import Extras
from app.service.tile_scores import TileScore


class ModelRefBody(BaseModel):
    """The model that answered."""

    name: str = Field(description="Its name, also where `default` was asked for.", examples=["demo"])
    version: int = Field(description="The version that answered.", examples=[1])
    detector: str = Field(description="What it is.", examples=["patchcore"])
    digest: str = Field(
        description="SHA-256 of the version's manifest, which holds those of its files.", examples=["9f86d081" * 8]
    )


class ImageSizeBody(BaseModel):
    """The uploaded picture's size in pixels, after its EXIF rotation."""

    width: int = Field(description="Pixels in a row.", examples=[1280])
    height: int = Field(description="Rows.", examples=[960])


class BoxBody(BaseModel):
    """A rectangle in pixels of the uploaded picture."""

    x: int = Field(description="Its left column, from 0.", examples=[412])
    y: int = Field(description="Its top row, from 0.", examples=[96])
    width: int = Field(description="How many columns it has.", examples=[71])
    height: int = Field(description="How many rows it has.", examples=[18])


class PointBody(BaseModel):
    """A pixel of the uploaded picture."""

    x: int = Field(description="Its column, from 0.", examples=[447])
    y: int = Field(description="Its row, from 0.", examples=[104])


class RegionBody(BaseModel):
    """Connected pixels whose anomaly exceeds the threshold."""

    box: BoxBody = Field(description="The smallest rectangle around it.")
    area: int = Field(description="How many pixels.", examples=[904])
    score: FiniteFloat = Field(
        description="The largest normalised value in it, over `threshold` and at most 1.", examples=[0.91]
    )
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
    """A tile of the picture; rows and columns are counted from the picture's corner, also with a region of interest."""

    row: int = Field(description="Its row of tiles, from 0.", examples=[0])
    column: int = Field(description="Its column of tiles, from 0.", examples=[4])
    box: BoxBody = Field(description="The part of the uploaded picture that it shows, within the region of interest.")
    score: FiniteFloat = Field(description="The largest normalised value in it.", examples=[0.91])

    @classmethod
    def of(cls, tile: TileScore) -> Self:
        """The body of a tile."""
        box = BoxBody(x=tile.left, y=tile.top, width=tile.width, height=tile.height)
        return cls(row=tile.row, column=tile.column, box=box, score=tile.score)


class TilesBody(BaseModel):
    """The tiles that were computed: all of the picture, or those that its region of interest takes."""

    rows: int = Field(description="Rows of tiles.", examples=[7])
    columns: int = Field(description="Columns of tiles.", examples=[9])
    count: int = Field(description="How many tiles there are.", examples=[63])
    items: list[TileBody] | None = Field(
        default=None,
        description="With `include=tiles`: all of them, row by row; those that show some of the region of interest, "
        "if there is one, and not those around it.",
        examples=[None],
    )


class TimingBody(BaseModel):
    """Milliseconds since the upload was read, by what was done meanwhile; `total` is the sum of the others."""

    decode: FiniteFloat = Field(description="Reading the header, and decoding.", examples=[14.2])
    queue: FiniteFloat = Field(
        description="Waiting: nothing was done for this picture, for others were worked on.", examples=[0.1]
    )
    device: FiniteFloat = Field(
        description="The picture's share of the batches that its tiles were in, by their number, and its map.",
        examples=[402.8],
    )
    render: FiniteFloat = Field(description="Finding regions, and drawing what was asked for.", examples=[11.0])
    total: FiniteFloat = Field(description="From the upload's end to the answer's.", examples=[428.1])

    @classmethod
    def of(cls, timings: Timings) -> Self:
        """The body of timings."""
        seconds = (timings.decode_s, timings.queue_s, timings.device_s, timings.render_s, timings.total_s)
        decode, queue, device, render, total = (round(1000 * each, 3) for each in seconds)
        return cls(decode=decode, queue=queue, device=device, render=render, total=total)


class PredictionBody(BaseModel):
    """What a model says of a picture."""

    model: ModelRefBody = Field(description="Which model answered.")
    image: ImageSizeBody = Field(description="The size of the uploaded picture.")
    roi: BoxBody | None = Field(
        default=None, description="The region of interest that was computed, if one was asked for.", examples=[None]
    )
    score: FiniteFloat = Field(
        ge=0, le=1, description="Normalised: over `threshold` the picture is anomalous.", examples=[0.83]
    )
    raw_score: FiniteFloat = Field(description="The detector's own score, higher when more anomalous.", examples=[41.7])
    label: Label = Field(description="What the score says.", examples=["anomalous"])
    threshold: FiniteFloat = Field(
        ge=0,
        le=1,
        description="Of all normalised scores: the `threshold` that was asked for, or 0.5, the model's own.",
        examples=[0.5],
    )
    regions: list[RegionBody] = Field(description="Defects, the most anomalous first.")
    tiles: TilesBody = Field(description="How the picture was tiled.")
    timing_ms: TimingBody = Field(description="What took how long.")
    heatmap: str | None = Field(
        default=None,
        description="With `include=heatmap`: PNG of the picture's or `roi`'s size, base64.",
        examples=[None],
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
        roi = predicted.question.roi
        return cls(
            model=_model(predicted),
            image=ImageSizeBody(width=width, height=height),
            roi=None if roi is None else BoxBody(x=roi.left, y=roi.top, width=roi.width, height=roi.height),
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
