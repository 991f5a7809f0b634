"""The parameters and problems that the routes of teachings share."""

from typing import Annotated

from fastapi import Path

from app.api.problem_codes import ProblemCode

PREFIX = "/v1/teachings"

TeachingId = Annotated[str, Path(description="Id of the teaching.", examples=["8f14e45fceea167a"])]

COMMON_PROBLEMS = (
    ProblemCode.PICTURES_UNAVAILABLE,
    ProblemCode.TRAININGS_UNAVAILABLE,
    ProblemCode.INVALID_REQUEST,
    ProblemCode.INTERNAL_ERROR,
)
TEACHING_PROBLEMS = (*COMMON_PROBLEMS, ProblemCode.TEACHING_NOT_FOUND)
