"""The routes that list, show, cancel and remove teachings."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field

from app.api.dependencies import TeachingsDep
from app.api.openapi import problem_responses
from app.api.schemas.teaching import TeachingBody, TeachingListBody
from app.api.teachings.parameters import COMMON_PROBLEMS, PREFIX, TEACHING_PROBLEMS, TeachingId

router = APIRouter(prefix=PREFIX, tags=["teachings"])
MOST_TEACHINGS = 100


class TeachingListQuery(BaseModel):
    """Query parameters of the list of teachings."""

    model: str | None = Field(
        default=None, pattern=r"^[A-Za-z0-9_.-]{1,200}$", description="Only of this model.", examples=["demo"]
    )
    limit: int = Field(default=20, ge=1, le=MOST_TEACHINGS, description="Most teachings in the answer.", examples=[20])


@router.get(
    "",
    summary="List teachings",
    response_model=TeachingListBody,
    response_description="The newest teachings.",
    responses=problem_responses(*COMMON_PROBLEMS),
    name="list_teachings",
)
async def list_teachings(teachings: TeachingsDep, query: Annotated[TeachingListQuery, Query()]) -> TeachingListBody:
    """Returns the newest teachings, the newest first."""
    found = teachings.newest(query.limit, query.model)
    return TeachingListBody(teachings=[TeachingBody.of(each) for each in found])


@router.get(
    "/{teaching}",
    summary="Show a teaching",
    response_model=TeachingBody,
    response_description="The teaching.",
    responses=problem_responses(*TEACHING_PROBLEMS),
    name="get_teaching",
)
async def show(teaching: TeachingId, teachings: TeachingsDep) -> TeachingBody:
    """Returns a teaching with its progress, and with the proof of its candidate."""
    return TeachingBody.of(teachings.get(teaching))


@router.delete(
    "/{teaching}",
    summary="Cancel or remove a teaching",
    response_model=TeachingBody,
    response_description="The teaching was cancelled; its record stays until it is deleted again. A teaching whose "
    "candidate is being written, or waits for a decision, is returned as it is.",
    responses=problem_responses(*TEACHING_PROBLEMS)
    | {204: {"description": "The record of an ended teaching is gone."}},
    name="delete_teaching",
)
async def delete(teaching: TeachingId, teachings: TeachingsDep) -> TeachingBody | Response:
    """Cancels a teaching that runs, at once. Removes the record of one that has ended; versions stay."""
    found = await asyncio.to_thread(teachings.delete, teaching)
    return Response(status_code=204) if found is None else TeachingBody.of(found)
