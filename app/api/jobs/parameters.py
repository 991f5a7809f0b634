"""The parameters and problems that the routes of jobs share."""

from typing import Annotated

from fastapi import Path

from app.api.problem_codes import ProblemCode

PREFIX = "/v1/jobs"
PICTURE = "/{job}/pictures/{picture}"

JobId = Annotated[str, Path(description="Id of the job.", examples=["8f14e45fceea167a"])]
PictureNumber = Annotated[int, Path(ge=0, le=2**31 - 1, description="Number of the picture, from 0.", examples=[0])]

COMMON_PROBLEMS = (
    ProblemCode.JOBS_UNAVAILABLE,
    ProblemCode.JOBS_DATABASE_UNAVAILABLE,
    ProblemCode.INVALID_REQUEST,
    ProblemCode.INTERNAL_ERROR,
)
JOB_PROBLEMS = (*COMMON_PROBLEMS, ProblemCode.JOB_NOT_FOUND)
ADMISSION_PROBLEMS = (
    ProblemCode.MODEL_NOT_FOUND,
    ProblemCode.VERSION_NOT_FOUND,
    ProblemCode.MODEL_LOADING,
    ProblemCode.JOB_TOO_LARGE,
    ProblemCode.JOB_QUOTA,
    ProblemCode.TOO_COSTLY,
    ProblemCode.DECODING_LIMIT,
    ProblemCode.INSUFFICIENT_MEMORY,
    ProblemCode.INSUFFICIENT_STORAGE,
    ProblemCode.UNSUPPORTED_IMAGE,
    ProblemCode.DAMAGED_IMAGE,
    ProblemCode.INVALID_IMAGE,
    ProblemCode.INVALID_REGION,
    ProblemCode.TOO_MANY_BYTES,
    ProblemCode.OVERLOADED,
)
"""The problems of routes that admit the pictures of a job."""
