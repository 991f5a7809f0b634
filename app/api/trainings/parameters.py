"""The parameters and problems that the routes of trainings share."""

from typing import Annotated

from fastapi import Path

from app.api.problem_codes import ProblemCode

PREFIX = "/v1/trainings"

TrainingId = Annotated[str, Path(description="Id of the training.", examples=["8f14e45fceea167a"])]

COMMON_PROBLEMS = (ProblemCode.TRAININGS_UNAVAILABLE, ProblemCode.INVALID_REQUEST, ProblemCode.INTERNAL_ERROR)
TRAINING_PROBLEMS = (*COMMON_PROBLEMS, ProblemCode.TRAINING_NOT_FOUND)
