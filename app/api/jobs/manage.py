"""The routes that make, list, show, cancel and remove jobs."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, Field

from app.api.access import key_of
from app.api.dependencies import JobsDep, Viewer
from app.api.jobs.body import JOB_BODY, JobRequest
from app.api.jobs.parameters import ADMISSION_PROBLEMS, COMMON_PROBLEMS, JOB_PROBLEMS, PREFIX, JobId
from app.api.openapi import problem_responses
from app.api.problem_codes import ProblemCode
from app.api.schemas.job import JobBody, JobListBody

router = APIRouter(prefix=PREFIX, tags=["jobs"])
MOST_JOBS = 1000


class JobListQuery(BaseModel):
    """Query parameters of the list of jobs."""

    limit: int = Field(default=100, ge=1, le=MOST_JOBS, description="Most jobs in the answer.", examples=[20])


@router.post(
    "",
    status_code=201,
    summary="Make a job",
    response_model=JobBody,
    response_model_exclude_none=True,
    response_description="The job, which survives a crash of the server from now on.",
    responses=problem_responses(*COMMON_PROBLEMS, *ADMISSION_PROBLEMS, ProblemCode.INVALID_PATH),
    openapi_extra=JOB_BODY,
    name="create_job",
)
async def create(request: Request, body: JobRequest, jobs: JobsDep, response: Response) -> JobBody:
    """Makes a job. Then upload its pictures; those that are given by a path are queued at once."""
    key = key_of(request.scope)
    job = await jobs.call(jobs.intake.create, key.name if key else "", body.asked())
    response.headers["Location"] = f"{request.scope.get('root_path', '')}{PREFIX}/{job.id}"
    return JobBody.of(job)


@router.get(
    "",
    summary="List jobs",
    response_model=JobListBody,
    response_model_exclude_none=True,
    response_description="The newest jobs.",
    responses=problem_responses(*COMMON_PROBLEMS),
    name="list_jobs",
)
async def list_jobs(jobs: JobsDep, viewer: Viewer, query: Annotated[JobListQuery, Query()]) -> JobListBody:
    """Returns the newest jobs of the request's key, or of all keys for one with the scope `admin`."""
    found = await jobs.call(jobs.newest, viewer, query.limit)
    return JobListBody(jobs=[JobBody.of(job) for job in found])


@router.get(
    "/{job}",
    summary="Show a job",
    response_model=JobBody,
    response_model_exclude_none=True,
    response_description="The job.",
    responses=problem_responses(*JOB_PROBLEMS),
    name="get_job",
)
async def show(job: JobId, jobs: JobsDep, viewer: Viewer) -> JobBody:
    """Returns a job with its progress."""
    return JobBody.of(await jobs.call(jobs.get, job, viewer))


@router.delete(
    "/{job}",
    summary="Cancel or remove a job",
    response_model=JobBody,
    response_model_exclude_none=True,
    response_description="The job was cancelled; its entry stays until it is deleted again, or expires.",
    responses=problem_responses(*JOB_PROBLEMS) | {204: {"description": "A job that had ended was removed."}},
    name="delete_job",
)
async def delete(job: JobId, jobs: JobsDep, viewer: Viewer) -> JobBody | Response:
    """Cancels a job that has not ended: its work stops within a unit, and its space is freed.

    Removes a job that has ended, with its results.
    """
    found = await jobs.call(jobs.delete, job, viewer)
    return Response(status_code=204) if found is None else JobBody.of(found)
