"""The lines of a stream's response."""

from enum import StrEnum
from typing import Self

from pydantic import BaseModel, Field, FiniteFloat

from app.api.schemas.geometry import BoxBody, PointBody
from app.api.schemas.prediction import FoundRegionBody, ModelRefBody
from app.api.schemas.problem import ProblemBody
from app.service.streaming import Ended, FoundRegion, Paused, Progress, RowStream, StreamEvent


class StreamLineType(StrEnum):
    """What a line tells. New values may be added."""

    started = "started"
    region = "region"
    progress = "progress"
    paused = "paused"
    ended = "ended"
    error = "error"


class StreamLineBody(BaseModel):
    """A line of the response to a stream of rows. `type` says which of the other properties it has.

    `y` of boxes and peaks counts rows as `first_row` does, from the beginning of the stream. Numbers of rows have up to
    53 bits.
    """

    type: StreamLineType = Field(
        description="`started`: the first line. `region`: a defect region that no later row changes. `progress`: after "
        "each band of rows, and at least every 5 seconds. `paused`: the last line of a request with `more=true`. "
        "`ended`: the last line of a stream. `error`: the last line of a connection that cannot continue.",
        examples=["region"],
    )
    stream: str | None = Field(
        default=None, description="In `started`: name with which the stream is continued.", examples=["line-3"]
    )
    model: ModelRefBody | None = Field(
        default=None, description="In `started`: model that computes the stream, until its end.", examples=[None]
    )
    next_row: int | None = Field(
        default=None,
        description="In all lines but `region`: number of the first row that the server does not have. After `started` "
        "the client sends the rows from there on, unless it has given `first_row`.",
        examples=[None],
    )
    latency_rows: int | None = Field(
        default=None,
        description="In `started`: a region is final when this many rows have arrived after its last row. It is sent "
        "as soon as they are computed.",
        examples=[None],
    )
    buffer_rows: int | None = Field(
        default=None,
        description="In `started`: while about this many rows wait, the server reads no further ones.",
        examples=[None],
    )
    complete_rows: int | None = Field(
        default=None,
        description="In `progress` and `paused`: number of the first row whose part of the map is not computed.",
        examples=[None],
    )
    score: FiniteFloat | None = Field(
        default=None,
        description="In `region`: largest normalised map value in the region. In `progress`: largest normalised map "
        "value in the rows that were completed since the last such line, if there are any.",
        examples=[0.91],
    )
    sequence: int | None = Field(
        default=None,
        description="In `region`: number of the region in the stream, from 1 on. In `ended`: number of all regions.",
        examples=[17],
    )
    box: BoxBody | None = Field(default=None, description="In `region`: smallest rectangle that contains the region.")
    area: int | None = Field(default=None, description="In `region`: number of pixels in the region.", examples=[904])
    peak: PointBody | None = Field(default=None, description="In `region`: pixel with the largest map value.")
    zone: str | None = Field(
        default=None,
        description="In `region`: name of the model's zone in which the peak lies; absent if it lies in none.",
        examples=[None],
    )
    continues: bool | None = Field(
        default=None,
        description="In `region`: whether the region was cut because it has `longest_region` rows; the next part "
        "begins in the row below.",
        examples=[False],
    )
    error: ProblemBody | None = Field(
        default=None, description="In `error`: what was wrong, as in error responses.", examples=[None]
    )

    @classmethod
    def started(cls, stream: RowStream) -> Self:
        artifact, geometry = stream.artifact, stream.geometry
        detector = artifact.manifest.detector.name
        return cls(
            type=StreamLineType.started,
            stream=stream.name,
            model=ModelRefBody(name=artifact.name, version=artifact.version, detector=detector, digest=artifact.digest),
            next_row=stream.next_row,
            latency_rows=geometry.latency,
            buffer_rows=geometry.buffer,
        )

    @classmethod
    def of(cls, event: StreamEvent) -> Self:
        match event:
            case FoundRegion():
                region = FoundRegionBody.of(event.region)
                return cls(
                    type=StreamLineType.region,
                    sequence=event.sequence,
                    box=region.box,
                    area=region.area,
                    score=region.score,
                    peak=region.peak,
                    zone=region.zone,
                    continues=event.continues,
                )
            case Progress():
                return cls(
                    type=StreamLineType.progress,
                    next_row=event.next_row,
                    complete_rows=event.complete_rows,
                    score=event.score,
                )
            case Paused():
                return cls(type=StreamLineType.paused, next_row=event.next_row, complete_rows=event.complete_rows)
            case Ended():
                return cls(type=StreamLineType.ended, next_row=event.next_row, sequence=event.regions)

    @classmethod
    def failed(cls, stream: RowStream, problem: ProblemBody) -> Self:
        return cls(type=StreamLineType.error, next_row=stream.next_row, error=problem)
