"""The events of a training, as server-sent events (HTML Living Standard, section 9.2)."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from fastapi import APIRouter
from starlette.responses import StreamingResponse

from app.api.dependencies import TrainingsDep
from app.api.jobs.events import HEARTBEAT_S, MEDIA_TYPE, STREAM_HEADERS
from app.api.openapi import problem_responses
from app.api.schemas.training import TrainingBody
from app.api.trainings.parameters import PREFIX, TRAINING_PROBLEMS, TrainingId
from app.errors import TrainingNotFound
from app.trainings import ENDED, Trainings

router = APIRouter(prefix=PREFIX, tags=["trainings"])

_EXAMPLE = 'event: training\ndata: {"id": "8f14e45fceea167a", "state": "running", "stage": "pictures", "done": 4}\n\n'
_DESCRIPTION: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Events of the type `training`; their data is a TrainingBody.",
        "content": {MEDIA_TYPE: {"schema": {"type": "string"}, "example": _EXAMPLE}},
    }
}


@router.get(
    "/{training}/events",
    summary="Follow a training",
    response_class=StreamingResponse,
    responses=_DESCRIPTION | problem_responses(*TRAINING_PROBLEMS),
    name="get_training_events",
)
async def follow(training: TrainingId, trainings: TrainingsDep) -> StreamingResponse:
    """Sends the training now, and whenever it changes, until it has ended. Each event has all that is known."""
    trainings.get(training)
    return StreamingResponse(_events(trainings, training), headers=STREAM_HEADERS, media_type=MEDIA_TYPE)


async def _events(trainings: Trainings, id: str) -> AsyncIterator[str]:
    sent = None
    with trainings.watchers.watching(id) as changed:
        while not trainings.watchers.closed:
            changed.clear()
            try:
                training = trainings.get(id)
            except TrainingNotFound:  # it was removed
                return
            if training != sent:
                yield f"event: training\ndata: {TrainingBody.of(training).model_dump_json()}\n\n"
                sent = training
            if training.state in ENDED:
                return
            try:
                await asyncio.wait_for(changed.wait(), HEARTBEAT_S)
            except TimeoutError:
                yield ": waiting\n\n"
