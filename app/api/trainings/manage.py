"""The routes that list, show, cancel and remove trainings."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field

from app.api.dependencies import TrainingsDep
from app.api.openapi import problem_responses
from app.api.schemas.training import TrainingBody, TrainingListBody
from app.api.trainings.parameters import COMMON_PROBLEMS, PREFIX, TRAINING_PROBLEMS, TrainingId

router = APIRouter(prefix=PREFIX, tags=["trainings"])
MOST_TRAININGS = 100


class TrainingListQuery(BaseModel):
    """Query parameters of the list of trainings."""

    limit: int = Field(default=20, ge=1, le=MOST_TRAININGS, description="Most trainings in the answer.", examples=[20])


@router.get(
    "",
    summary="List trainings",
    response_model=TrainingListBody,
    response_description="The newest trainings.",
    responses=problem_responses(*COMMON_PROBLEMS),
    name="list_trainings",
)
async def list_trainings(trainings: TrainingsDep, query: Annotated[TrainingListQuery, Query()]) -> TrainingListBody:
    """Returns the newest trainings, the newest first."""
    return TrainingListBody(trainings=[TrainingBody.of(each) for each in trainings.newest(query.limit)])


@router.get(
    "/{training}",
    summary="Show a training",
    response_model=TrainingBody,
    response_description="The training.",
    responses=problem_responses(*TRAINING_PROBLEMS),
    name="get_training",
)
async def show(training: TrainingId, trainings: TrainingsDep) -> TrainingBody:
    """Returns a training with its progress."""
    return TrainingBody.of(trainings.get(training))


@router.delete(
    "/{training}",
    summary="Cancel or remove a training",
    response_model=TrainingBody,
    response_description="The training was cancelled; its record stays until it is deleted again. A training whose "
    "model is being written is not cancelled any more.",
    responses=problem_responses(*TRAINING_PROBLEMS)
    | {204: {"description": "The record of an ended training is gone."}},
    name="delete_training",
)
async def delete(training: TrainingId, trainings: TrainingsDep) -> TrainingBody | Response:
    """Cancels a training that runs, at once. Removes the record of one that has ended; its model stays."""
    found = await asyncio.to_thread(trainings.delete, training)
    return Response(status_code=204) if found is None else TrainingBody.of(found)
