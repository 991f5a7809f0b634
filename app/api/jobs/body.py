"""The body of a request that makes a job."""

from typing import Annotated, Any

from fastapi import Depends, Request

from app.api.json_body import json_body, read_json
from app.api.schemas.job import JobRequestBody

MAX_BYTES = 2**20
"""The limit on the body."""

JOB_BODY: dict[str, Any] = json_body("JobRequestBody")
"""`openapi_extra` of the route."""


async def _job_body(request: Request) -> JobRequestBody:
    return await read_json(request, JobRequestBody, MAX_BYTES, "describe the job, and upload its pictures")


JobRequest = Annotated[JobRequestBody, Depends(_job_body)]
