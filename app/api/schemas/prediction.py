"""The body of a prediction."""

from base64 import b64encode
from collections.abc import Sequence
from typing import Self

from pydantic import BaseModel, Field, FiniteFloat

from app.api.schemas.evidence import EvidenceBody
from app.api.schemas.geometry import BoxBody, PointBody
from app.artifacts import Artifact
from app.pipeline import MOST_REGIONS, Coverage, DefectRegion, Label, RegionEvidence, Roi
from app.service import Judged, NoteCode, Timings
from app.service.pictures import Extras
from app.service.tile_scores import TileScore


class ModelRefBody(BaseModel):
    """The model that made a prediction."""

    name: str = Field(
        description="Name of the model; if the request names `default`, the name of the model that this means.",
        examples=["demo"],
    )
    version: int = Field(description="Version of the model.", examples=[1])
    detector: str = Field(description="Name of the detector.", examples=["patchcore"])
    digest: str = Field(
        description="SHA-256 of the version's manifest, which contains the SHA-256 of each of the version's files.",
        examples=["9f86d081" * 8],
    )


class ImageSizeBody(BaseModel):
    """The uploaded picture's size in pixels, after its EXIF rotation."""

    width: int = Field(description="Width in pixels.", examples=[1280])
    height: int = Field(description="Height in pixels.", examples=[960])


class FoundRegionBody(BaseModel):
    """A defect region: connected pixels whose normalised map values exceed the threshold."""

    box: BoxBody = Field(description="Smallest rectangle that contains the region.")
    area: int = Field(description="Number of pixels in the region.", examples=[904])
    score: FiniteFloat = Field(
        description="Largest normalised map value in the region, above `threshold` and at most 1.", examples=[0.91]
    )
    peak: PointBody = Field(description="Pixel with the largest map value.")
    zone: str | None = Field(
        default=None,
        description="Name of the model's zone in which the peak lies; absent, or null in verdicts, if it lies in none.",
        examples=[None],
    )

    @classmethod
    def of(cls, region: DefectRegion) -> Self:
        row, column = region.peak
        return cls(
            box=BoxBody(x=region.left, y=region.top, width=region.width, height=region.height),
            area=region.area,
            score=region.score,
            peak=PointBody(x=column, y=row),
            zone=region.zone,
        )


class RegionBody(FoundRegionBody):
    """A defect region: connected pixels whose normalised map values exceed the threshold."""

    evidence: EvidenceBody | None = Field(
        default=None,
        description=f"With `include=evidence`, for the first {MOST_REGIONS} regions: why the region is unusual.",
        examples=[None],
    )


class PartialBody(BaseModel):
    """How much of the picture, or of its region of interest, was looked at within the time limit."""

    complete: bool = Field(
        description="Whether all of it was looked at; then the prediction is the same as without `partial`.",
        examples=[False],
    )
    share: FiniteFloat = Field(
        ge=0, le=1, description="Share of its pixels that was looked at; 1 if it is complete.", examples=[0.43]
    )
    unseen: list[BoxBody] = Field(
        description="The mask of what was not looked at: disjoint rectangles that contain exactly these pixels. All "
        "other pixels have the same map values as without `partial`."
    )
    tiles: int = Field(
        description="Number of tiles that have to be computed to look at all of it; tiles that two parts need count "
        "twice.",
        examples=[784],
    )
    tiles_done: int = Field(description="Number of these tiles that were computed.", examples=[337])

    @classmethod
    def of(cls, coverage: Coverage) -> Self:
        return cls(
            complete=coverage.complete,
            share=coverage.share,
            unseen=[_box(each) for each in coverage.unseen],
            tiles=coverage.tiles,
            tiles_done=coverage.tiles_done,
        )


class TileBody(BaseModel):
    """A tile. With a region of interest, `row` and `column` still count from the top left tile of the whole picture."""

    row: int = Field(description="Row of tiles, counted from 0.", examples=[0])
    column: int = Field(description="Column of tiles, counted from 0.", examples=[4])
    box: BoxBody = Field(
        description="Part of the uploaded picture that the tile covers, clipped to the region of interest."
    )
    score: FiniteFloat = Field(description="Largest normalised map value inside `box`.", examples=[0.91])

    @classmethod
    def of(cls, tile: TileScore) -> Self:
        box = BoxBody(x=tile.left, y=tile.top, width=tile.width, height=tile.height)
        return cls(row=tile.row, column=tile.column, box=box, score=tile.score)


class TilesBody(BaseModel):
    """The tiles that were computed: all tiles of the picture, or those that the region of interest needs."""

    rows: int = Field(description="Number of rows of tiles.", examples=[7])
    columns: int = Field(description="Number of columns of tiles.", examples=[9])
    count: int = Field(
        description="Number of tiles. With a thumbnail, it is one more than there are in rows and columns.",
        examples=[63],
    )
    items: list[TileBody] | None = Field(
        default=None,
        description="With `include=tiles`: the tiles, row by row. With a region of interest, only the tiles that "
        "overlap it, without the tiles around it that were also computed. With `partial`, only the tiles that were "
        "looked at whole.",
        examples=[None],
    )


class TimingBody(BaseModel):
    """Duration of each stage in milliseconds, from the end of the upload; `total` is the sum of the others.

    With `partial`, several parts of the picture may be computed at the same time, so that `device` may exceed `total`.
    """

    decode: FiniteFloat = Field(description="Reading the header and decoding the picture.", examples=[14.2])
    queue: FiniteFloat = Field(description="Waiting while other pictures are processed.", examples=[0.1])
    device: FiniteFloat = Field(
        description="The picture's share of the device time: its part of each batch, in proportion to its tiles, and "
        "its own steps, such as the map.",
        examples=[402.8],
    )
    render: FiniteFloat = Field(description="Finding regions and rendering the requested parts.", examples=[11.0])
    total: FiniteFloat = Field(description="From the end of the upload to the finished prediction.", examples=[428.1])

    @classmethod
    def of(cls, timings: Timings) -> Self:
        seconds = (timings.decode_s, timings.queue_s, timings.device_s, timings.render_s, timings.total_s)
        decode, queue, device, render, total = (round(1000 * each, 3) for each in seconds)
        return cls(decode=decode, queue=queue, device=device, render=render, total=total)


class NoteBody(BaseModel):
    """What a user must know to read the prediction: why it may be unreliable, or why its parts seem to disagree."""

    code: NoteCode = Field(description="The note as a code.", examples=["unseen_size"])
    message: str = Field(
        description="The note as a sentence.",
        examples=["the model was trained on pictures of 1024 x 1024 pixels, and this one has 1000 x 1000"],
    )


class PredictionBody(BaseModel):
    """The prediction of a model for a picture."""

    model: ModelRefBody = Field(description="Model that made the prediction.")
    image: ImageSizeBody = Field(description="Size of the uploaded picture.")
    roi: BoxBody | None = Field(
        default=None, description="Region of interest, if the request has one.", examples=[None]
    )
    score: FiniteFloat = Field(
        ge=0, le=1, description="Normalised anomaly score; above `threshold` the picture is anomalous.", examples=[0.83]
    )
    raw_score: FiniteFloat = Field(
        description="Score of the detector before normalisation, higher when more anomalous.", examples=[41.7]
    )
    label: Label = Field(
        description="`anomalous` if `score` exceeds `threshold`, else `normal`. With `partial`, `undecided` instead of "
        "`normal`, unless all of the picture was looked at.",
        examples=["anomalous"],
    )
    threshold: FiniteFloat = Field(
        ge=0,
        le=1,
        description="Threshold of all normalised scores: that of the request, or 0.5, the calibrated threshold.",
        examples=[0.5],
    )
    regions: list[RegionBody] = Field(description="Defect regions, the most anomalous first.")
    notes: list[NoteBody] = Field(
        description="What to know of the prediction: why it may be unreliable, or its parts seem to disagree.",
        examples=[[]],
    )
    partial: PartialBody | None = Field(
        default=None,
        description="With `partial=true`: how much was looked at. Score and regions are those of what was looked at.",
        examples=[None],
    )
    tiles: TilesBody = Field(description="Tiles of the picture.")
    timing_ms: TimingBody = Field(description="Duration of each stage in milliseconds.")
    heatmap: str | None = Field(
        default=None,
        description="With `include=heatmap`: heatmap with the size of the picture or of `roi`, PNG in base64. With "
        "`partial`, hatched where the picture was not looked at.",
        examples=[None],
    )
    mask: str | None = Field(
        default=None,
        description="With `include=mask`: mask with the same size, white inside the defect regions, PNG in base64. "
        "With `partial`, grey (128) where the picture was not looked at.",
        examples=[None],
    )

    @classmethod
    def of(cls, judged: Judged, timings: Timings, extras: Extras, evidence: Sequence[RegionEvidence] = ()) -> Self:
        """The body of a judgement; `evidence` is that for the first regions."""
        judgement, roi = judged.judgement, judged.question.roi
        height, width = judged.size
        return cls(
            model=_model(judged),
            image=ImageSizeBody(width=width, height=height),
            roi=None if roi is None else _box(roi),
            score=judgement.score,
            raw_score=judgement.raw_score,
            label=judgement.label,
            threshold=judgement.criteria.threshold,
            regions=_regions(judgement.regions, evidence, judged.artifact),
            notes=[NoteBody(code=note.code, message=note.message) for note in judged.notes],
            partial=None if judgement.coverage is None else PartialBody.of(judgement.coverage),
            tiles=_tiles(judged, extras),
            timing_ms=TimingBody.of(timings),
            heatmap=_base64(extras.heatmap),
            mask=_base64(extras.mask),
        )


def _regions(
    regions: Sequence[DefectRegion], evidence: Sequence[RegionEvidence], artifact: Artifact
) -> list[RegionBody]:
    bodies = [RegionBody.of(region) for region in regions]
    for body, found in zip(bodies, evidence, strict=False):  # only the first regions have some
        body.evidence = EvidenceBody.of(found, artifact)
    return bodies


def _box(rectangle: Roi) -> BoxBody:
    return BoxBody(x=rectangle.left, y=rectangle.top, width=rectangle.width, height=rectangle.height)


def _model(judged: Judged) -> ModelRefBody:
    artifact = judged.artifact
    detector = artifact.manifest.detector.name
    return ModelRefBody(name=artifact.name, version=artifact.version, detector=detector, digest=artifact.digest)


def _tiles(judged: Judged, extras: Extras) -> TilesBody:
    plan = judged.plan
    items = None if extras.tiles is None else [TileBody.of(tile) for tile in extras.tiles]
    return TilesBody(rows=plan.rows, columns=plan.columns, count=plan.distinct, items=items)


def _base64(content: bytes | None) -> str | None:
    return None if content is None else b64encode(content).decode("ascii")
