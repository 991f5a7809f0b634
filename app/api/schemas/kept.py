"""Kept pictures and their reviews: what the server answers, and what a client says.

Rings are described as lists of any values: generators of clients disagree on nested lists.
"""

from datetime import UTC, datetime
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, field_validator

from app.api.schemas.geometry import BoxBody, PointBody
from app.api.schemas.prediction import ImageSizeBody
from app.api.schemas.times import UtcTime
from app.pipeline import Label
from app.reviews import ReviewLabel
from app.store.kept import MOST_MISSED, KeptPicture, KeptRegion, Polygon, Review

MOST_JUDGED = 1000
"""The most regions that the body of a review may name; the picture has fewer."""
_RINGS = [[[412, 96], [483, 96], [483, 114], [412, 114]]]


class ReviewedRegionBody(BaseModel):
    """What a person said about a region of the verdict."""

    model_config = ConfigDict(extra="forbid")

    number: int = Field(ge=0, le=MOST_JUDGED, description="Number of the region in `regions`, from 0.", examples=[0])
    label: ReviewLabel = Field(description="`defect`, `harmless` or `unsure`.", examples=["harmless"])


class MissedBody(BaseModel):
    """A defect that the model did not find, as a person drew it."""

    model_config = ConfigDict(extra="forbid")

    rings: list[Any] = Field(
        min_length=1,
        description="Outer ring, then its holes: each a list of at least three points `[x, y]` in pixels from the "
        "picture's upper left corner.",
        examples=[_RINGS],
    )

    @field_validator("rings")
    @classmethod
    def _are_rings(cls, rings: list[Any]) -> list[Any]:
        for ring in rings:
            if not isinstance(ring, list) or not all(_is_point(point) for point in ring):
                raise ValueError("give rings as lists of points [x, y]")
        return rings

    def polygon(self) -> Polygon:
        return tuple(tuple((float(x), float(y)) for x, y in ring) for ring in self.rings)


def _is_point(point: object) -> bool:
    def is_number(value: object) -> bool:
        return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 2**31

    return isinstance(point, list) and len(point) == 2 and all(map(is_number, point))


class ReviewRequestBody(BaseModel):
    """What a person says about a picture."""

    model_config = ConfigDict(extra="forbid")

    label: ReviewLabel = Field(
        description="What the whole picture is: `defect` if one of its regions is, or a defect was missed.",
        examples=["harmless"],
    )
    regions: Annotated[list[ReviewedRegionBody], Field(max_length=MOST_JUDGED)] = Field(
        default=[], description="The regions that were judged."
    )
    missed: Annotated[list[MissedBody], Field(max_length=MOST_MISSED)] = Field(
        default=[], description="Defects that the model did not find.", examples=[[]]
    )

    def review(self, reviewer: str, time_s: float) -> Review:
        regions = tuple((each.number, each.label) for each in self.regions)
        return Review(self.label, regions, tuple(each.polygon() for each in self.missed), reviewer, time_s)


class ReviewBody(BaseModel):
    """What a person said about a picture."""

    label: ReviewLabel = Field(description="What the whole picture is.", examples=["harmless"])
    regions: list[ReviewedRegionBody] = Field(description="The regions that were judged.")
    missed: list[MissedBody] = Field(description="Defects that the model did not find.", examples=[[]])
    reviewer: str = Field(description="Name of the reviewer's API key; empty without keys.", examples=["inspector-1"])
    time: UtcTime = Field(description="Time of the review (UTC, ISO 8601).", examples=["2026-11-28T09:30:00Z"])

    @classmethod
    def of(cls, review: Review) -> Self:
        return cls(
            label=review.label,
            regions=[ReviewedRegionBody(number=number, label=label) for number, label in review.regions],
            missed=[MissedBody(rings=_rings(polygon)) for polygon in review.missed],
            reviewer=review.reviewer,
            time=_time(review.time_s),
        )


class KeptRegionBody(BaseModel):
    """A defect region of the verdict."""

    number: int = Field(description="Number of the region, from 0, the most anomalous first.", examples=[0])
    box: BoxBody = Field(description="Smallest rectangle that contains the region.")
    area: int = Field(description="Number of pixels in the region.", examples=[904])
    score: FiniteFloat = Field(description="Largest normalised map value in the region.", examples=[0.91])
    peak: PointBody = Field(description="Pixel with the largest map value.")
    outline: list[Any] = Field(
        description="Polygons along the edges of pixels, each a list of rings: the outer one, then its holes. The box, "
        "if the outlines of the picture have too many points.",
        examples=[[_RINGS]],
    )

    @classmethod
    def of(cls, number: int, region: KeptRegion) -> Self:
        row, column = region.peak
        return cls(
            number=number,
            box=BoxBody(x=region.left, y=region.top, width=region.width, height=region.height),
            area=region.area,
            score=region.score,
            peak=PointBody(x=column, y=row),
            outline=[_rings(polygon) for polygon in region.outline],
        )


class KeptModelBody(BaseModel):
    """The model of a verdict."""

    name: str = Field(description="Name of the model.", examples=["demo"])
    version: int = Field(description="Version of the model.", examples=[1])
    digest: str = Field(description="SHA-256 of the version's manifest.", examples=["9f86d081" * 8])


class KeptPictureBody(BaseModel):
    """A kept picture with its verdict and its review."""

    id: str = Field(description="Id of the kept picture.", examples=["8f14e45fceea167a"])
    etag: str = Field(
        description="Tag of the picture, as in the header `ETag`; send it as `If-Match` with a change.",
        examples=['"8f14e45fceea167a-0"'],
    )
    name: str = Field(description="File name in the form of the request; may be empty.", examples=["screw-017.png"])
    sha256: str = Field(description="SHA-256 of the file.", examples=["9f86d081" * 8])
    format: str = Field(description="Format of the file.", examples=["PNG"])
    bytes: int = Field(description="Bytes of its files on the disk.", examples=[183204])
    image: ImageSizeBody = Field(description="Size of the picture.")
    kept: UtcTime = Field(description="When it was kept (UTC, ISO 8601).", examples=["2026-11-28T09:00:00Z"])
    rule: str = Field(description="The rule of `pictures_keep` that kept it, or `imported`.", examples=["near:0.1"])
    model: KeptModelBody = Field(description="Model that judged it.")
    request_id: str = Field(description="`X-Request-ID` of the request; may be empty.", examples=["4be1a6"])
    score: FiniteFloat = Field(ge=0, le=1, description="Normalised anomaly score.", examples=[0.53])
    threshold: FiniteFloat = Field(ge=0, le=1, description="Threshold of the verdict.", examples=[0.5])
    label: Label = Field(description="Label of the verdict.", examples=["anomalous"])
    regions: list[KeptRegionBody] = Field(description="The most anomalous regions, at most 100.")
    region_count: int = Field(description="Number of all regions.", examples=[1])
    review: ReviewBody | None = Field(default=None, description="The review; absent without one.", examples=[None])

    @classmethod
    def of(cls, picture: KeptPicture, etag: str) -> Self:
        verdict, (height, width) = picture.verdict, picture.size
        return cls(
            id=picture.id,
            etag=etag,
            name=picture.name,
            sha256=picture.digest,
            format=picture.format,
            bytes=picture.bytes,
            image=ImageSizeBody(width=width, height=height),
            kept=_time(picture.kept_s),
            rule=picture.rule,
            model=KeptModelBody(name=verdict.model, version=verdict.version, digest=verdict.digest),
            request_id=verdict.request_id,
            score=verdict.score,
            threshold=verdict.threshold,
            label=Label(verdict.label),
            regions=[KeptRegionBody.of(number, each) for number, each in enumerate(verdict.regions)],
            region_count=verdict.region_count,
            review=None if picture.review is None else ReviewBody.of(picture.review),
        )


class PictureListBody(BaseModel):
    """A page of kept pictures."""

    pictures: list[KeptPictureBody] = Field(description="The pictures of this page, in order.")
    total: int = Field(description="Number of the pictures of all pages.", examples=[41])
    next: str | None = Field(
        default=None,
        description="`cursor` of the next page; absent on the last one.",
        examples=["0x1.47ae147ae147bp-6_17"],
    )


def _rings(polygon: Polygon) -> list[Any]:
    return [[list(point) for point in ring] for ring in polygon]


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
