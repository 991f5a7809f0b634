"""The body of a verdict, as sinks get it."""

from typing import Literal, Self

from pydantic import BaseModel, Field, FiniteFloat

from app.api.schemas.geometry import BoxBody
from app.api.schemas.prediction import (
    FoundRegionBody,
    ImageSizeBody,
    ModelRefBody,
    NoteBody,
    PartialBody,
    PredictionBody,
)
from app.pipeline import Label
from app.service import Predicted, Timings
from app.service.pictures import Extras

VERDICT: Literal["tessera.verdict.v1"] = "tessera.verdict.v1"
UNDECIDED: Literal["tessera.undecided.v1"] = "tessera.undecided.v1"
MOST_REGIONS = 1000
"""The most regions in one verdict, so that an event stays small."""


class PictureBody(BaseModel):
    """The picture as it came."""

    name: str = Field(
        description="File name in the form of the request, or path below the watched folder; may be empty.",
        examples=["screw-017.png"],
    )
    sha256: str = Field(
        description="SHA-256 of the file, or of the numbers of a picture that came as numbers.",
        examples=["9f86d081" * 8],
    )


class VerdictBody(BaseModel):
    """The verdict of a model on one picture. The parts have the form of the server's answers."""

    type: Literal["tessera.verdict.v1"] | Literal["tessera.undecided.v1"] = Field(
        default=VERDICT,
        description="Name of this schema. Fields may be added to a version; any other change makes a new one. "
        "`tessera.undecided.v1` has the same fields, and comes instead of a verdict whose `label` is `undecided`: a "
        "program that does not know it cannot take the picture for normal.",
        examples=[VERDICT],
    )
    id: str = Field(
        description="Id of this event, the same for every delivery: drop events whose id was seen before.",
        examples=["5f0c1b1e" * 4],
    )
    time: str = Field(
        description="Time of the prediction: UTC, ISO 8601, with milliseconds.", examples=["2026-11-28T09:30:00.250Z"]
    )
    request_id: str | None = Field(
        description="`X-Request-ID` of the request; null for pictures of a watched folder.", examples=["4be1a6"]
    )
    source: str = Field(
        description="Path of the route that was asked, such as /v1/models/{model}/predict, or `watch`.",
        examples=["/v1/models/{model}/predict"],
    )
    picture: PictureBody = Field(description="The picture as it came.")
    image: ImageSizeBody = Field(description="Size of the picture.")
    roi: BoxBody | None = Field(description="Region of interest; null without one.", examples=[None])
    model: ModelRefBody = Field(description="Model that made the prediction.")
    score: FiniteFloat = Field(ge=0, le=1, description="Normalised anomaly score.", examples=[0.83])
    raw_score: FiniteFloat = Field(description="Score before normalisation.", examples=[41.7])
    threshold: FiniteFloat = Field(ge=0, le=1, description="Scores above it are anomalous.", examples=[0.5])
    label: Label = Field(
        description="`anomalous` or `normal`; in `tessera.undecided.v1` always `undecided`.", examples=["anomalous"]
    )
    partial: PartialBody | None = Field(
        default=None,
        description="How much of the picture was looked at, if the request has `partial=true`; else null. Score and "
        "regions are those of what was looked at.",
        examples=[None],
    )
    regions: list[FoundRegionBody] = Field(
        description=f"Defect regions, the most anomalous first, at most {MOST_REGIONS:,}."
    )
    region_count: int = Field(description="Number of all defect regions.", examples=[1])
    notes: list[NoteBody] = Field(description="What to know of the prediction.", examples=[[]])

    @classmethod
    def of(cls, predicted: Predicted, name: str, *, id: str, time: str, request_id: str | None, source: str) -> Self:
        """The verdict on a picture whose digest was computed. `name` is that of its file."""
        assert predicted.picture_digest is not None
        body = PredictionBody.of(predicted.judged, Timings(0, 0, 0, 0, 0), Extras(None, None, None))
        return cls(
            type=UNDECIDED if body.label is Label.undecided else VERDICT,
            id=id,
            time=time,
            request_id=request_id,
            source=source,
            picture=PictureBody(name=name, sha256=predicted.picture_digest),
            image=body.image,
            roi=body.roi,
            model=body.model,
            score=body.score,
            raw_score=body.raw_score,
            threshold=body.threshold,
            label=body.label,
            partial=body.partial,
            regions=[FoundRegionBody.of(each) for each in predicted.prediction.regions[:MOST_REGIONS]],
            region_count=len(body.regions),
            notes=body.notes,
        )
