"""Jobs: what a client asks, and what the server answers."""

from datetime import UTC, datetime
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator

from app.api.options import MOST_PIXELS
from app.api.schemas.geometry import BoxBody
from app.api.schemas.prediction import FoundRegionBody
from app.jobs import AskedJob, AskedPicture, Pyramid
from app.jobs.asked import question_of
from app.pipeline import Criteria, Question, Roi
from app.pipeline.prediction import THRESHOLD
from app.store import Job, JobPicture, JobState, Problem

MOST_PICTURES = 100
"""The most pictures of one job."""
MOST_NAME = 200
MOST_PATH = 1000
_NO_CONTROLS = r"^[^\x00-\x1f\x7f]+$"


class JobPictureRequestBody(BaseModel):
    """A picture to predict: either a file in the folder that the operator opened, or one that is uploaded."""

    model_config = ConfigDict(extra="forbid")

    name: str | None = Field(
        default=None,
        min_length=1,
        max_length=MOST_NAME,
        pattern=_NO_CONTROLS,
        description="Name of the picture in answers. Default: the last part of `path`, or `picture`.",
        examples=["wafer-7.tif"],
    )
    path: str | None = Field(
        default=None,
        min_length=1,
        max_length=MOST_PATH,
        pattern=_NO_CONTROLS,
        description="Path of the file below the opened folder (`jobs_folder`), with `/`. Links are not followed.",
        examples=[None],
    )
    length: int | None = Field(
        default=None, ge=1, le=2**53, description="Bytes of the file that is uploaded.", examples=[1073741824]
    )

    def asked(self) -> AskedPicture:
        name = self.name or (self.path or "picture").rpartition("/")[2] or "picture"
        return AskedPicture(name[:MOST_NAME], self.path, self.length or 0)


class JobRequestBody(BaseModel):
    """A job: pictures of any size, a model, and the options of a prediction."""

    model_config = ConfigDict(extra="forbid")

    model: str = Field(default="default", description="Name of the model, or `default`.", examples=["demo"])
    version: int | None = Field(
        default=None, ge=1, description="Version of the model. Default: the live version.", examples=[None]
    )
    threshold: float = Field(
        default=THRESHOLD,
        ge=0,
        le=1,
        allow_inf_nan=False,
        description="Normalised scores and map values are anomalous above this threshold.",
        examples=[0.5],
    )
    min_region_area: int = Field(
        default=1, ge=1, le=MOST_PIXELS, description="Smallest area of a defect region, in pixels.", examples=[25]
    )
    roi: BoxBody | None = Field(
        default=None, description="Region of interest of each picture. Default: the whole picture.", examples=[None]
    )
    pictures: Annotated[list[JobPictureRequestBody], Field(min_length=1, max_length=MOST_PICTURES)] = Field(
        description="The pictures."
    )

    @field_validator("pictures")
    @classmethod
    def _are_given(cls, pictures: list[JobPictureRequestBody]) -> list[JobPictureRequestBody]:
        for number, each in enumerate(pictures):
            if (each.path is None) == (each.length is None):
                raise ValueError(f"picture {number}: give either path or length, the bytes of a file to upload")
        return pictures

    @field_validator("roi")
    @classmethod
    def _is_a_region(cls, roi: BoxBody | None) -> BoxBody | None:
        if roi is not None and not all(0 <= edge <= MOST_PIXELS for edge in (roi.x, roi.y, roi.width, roi.height)):
            raise ValueError(f"give whole numbers of pixels from 0 to {MOST_PIXELS:,}")
        return roi

    def asked(self) -> AskedJob:
        roi = None if self.roi is None else Roi(self.roi.y, self.roi.x, self.roi.height, self.roi.width)
        question = Question(Criteria(self.threshold, self.min_region_area), roi)
        return AskedJob(self.model, self.version, question, tuple(each.asked() for each in self.pictures))


class JobErrorBody(BaseModel):
    """Why a picture of a job failed."""

    code: str = Field(description="Kind of problem, as in problem details.", examples=["damaged_image"])
    message: str = Field(description="What was wrong, and what would work.", examples=["a.tif cannot be read"])

    @classmethod
    def of(cls, problem: Problem | None) -> Self | None:
        return None if problem is None else cls(code=problem.code, message=problem.message)


class JobPictureBody(BaseModel):
    """A picture of a job."""

    number: int = Field(description="Number of the picture, counted from 0.", examples=[0])
    name: str = Field(description="Name of the picture.", examples=["wafer-7.tif"])
    path: str | None = Field(default=None, description="Path below the opened folder, if given.", examples=[None])
    length: int = Field(description="Bytes of the picture's file.", examples=[1073741824])
    offset: int = Field(description="Bytes that the server has; uploads go on here.", examples=[1073741824])
    state: JobState = Field(description="JobState of the picture.", examples=["running"])
    width: int | None = Field(default=None, description="Width in pixels, once it is known.", examples=[32768])
    height: int | None = Field(default=None, description="Height in pixels, once it is known.", examples=[32768])
    stage: str | None = Field(
        default=None, description="Stage of the work: `rows` (prediction) or `drawing`.", examples=["rows"]
    )
    rows_done: int = Field(description="Rows of the stage that are done.", examples=[8192])
    rows: int = Field(description="Rows of the stage in all; 0 before it has begun.", examples=[32768])
    regions_found: int = Field(description="Regions so far that no later row can change.", examples=[12])
    error: JobErrorBody | None = Field(default=None, description="Why the picture failed.", examples=[None])

    @classmethod
    def of(cls, picture: JobPicture) -> Self:
        height, width = picture.size or (None, None)
        return cls(
            number=picture.number,
            name=picture.name,
            path=picture.path,
            length=picture.length,
            offset=picture.offset,
            state=picture.state,
            width=width,
            height=height,
            stage=picture.stage or None,
            rows_done=picture.done,
            rows=picture.total,
            regions_found=picture.regions,
            error=JobErrorBody.of(picture.problem),
        )


class JobBody(BaseModel):
    """A job."""

    id: str = Field(description="Id of the job.", examples=["8f14e45fceea167a"])
    state: JobState = Field(
        description="`uploading`: parts are missing; `queued`: it waits; `running`; `done`: all results are there; "
        "`failed`: at least one picture has none; `cancelled`; `expired`: its files were removed.",
        examples=["running"],
    )
    model: str = Field(description="Name of the model.", examples=["demo"])
    version: int = Field(description="Version of the model.", examples=[1])
    threshold: float = Field(description="Threshold of normalised scores.", examples=[0.5])
    min_region_area: int = Field(description="Smallest area of a defect region, in pixels.", examples=[1])
    roi: BoxBody | None = Field(default=None, description="Region of interest of each picture.", examples=[None])
    created: datetime = Field(description="Time at which the job was made.", examples=["2026-11-28T09:30:00Z"])
    changed: datetime = Field(description="Time of the last change of its state.", examples=["2026-11-28T09:31:00Z"])
    expires: datetime | None = Field(
        default=None,
        description="Time at which its files, or then its entry, are removed; absent while it waits or runs.",
        examples=["2026-12-05T09:31:00Z"],
    )
    pictures: list[JobPictureBody] = Field(description="Its pictures.")

    @classmethod
    def of(cls, job: Job) -> Self:
        question = question_of(job.question)
        roi = question.roi
        return cls(
            id=job.id,
            state=job.state,
            model=job.model,
            version=job.version,
            threshold=question.criteria.threshold,
            min_region_area=question.criteria.min_region_area,
            roi=None if roi is None else BoxBody(x=roi.left, y=roi.top, width=roi.width, height=roi.height),
            created=_time(job.created_s),
            changed=_time(job.changed_s),
            expires=None if job.state in (JobState.queued, JobState.running) else _time(job.expires_s),
            pictures=[JobPictureBody.of(each) for each in job.pictures],
        )


class JobListBody(BaseModel):
    """The newest jobs, the newest first: those of the request's key, or all for keys with the scope `admin`."""

    jobs: list[JobBody] = Field(description="The jobs.")


class JobRegionsBody(BaseModel):
    """The defect regions of a picture that no later row can change, in the order in which they became final."""

    regions: list[FoundRegionBody] = Field(description="The regions.")


class PyramidBody(BaseModel):
    """The pyramids of a picture: each level has half the width and height of the one before, rounded down."""

    width: int = Field(description="Width of level 0 in pixels.", examples=[32768])
    height: int = Field(description="Height of level 0 in pixels.", examples=[32768])
    levels: int = Field(description="Number of levels.", examples=[8])
    tile: int = Field(description="Edge of a tile in pixels; those at the right and lower edge are smaller.")

    @classmethod
    def of(cls, pyramid: Pyramid) -> Self:
        return cls(width=pyramid.width, height=pyramid.height, levels=pyramid.levels, tile=pyramid.tile)


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(round(seconds), UTC)
