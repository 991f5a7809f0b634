"""The route that follows a training."""

from fastapi import APIRouter
from starlette.responses import StreamingResponse

from app.api.dependencies import TrainingsDep
from app.api.openapi import problem_responses
from app.api.run_events import described, followed
from app.api.schemas.training import TrainingBody
from app.api.trainings.parameters import PREFIX, TRAINING_PROBLEMS, TrainingId

router = APIRouter(prefix=PREFIX, tags=["trainings"])

_EXAMPLE = '{"id": "8f14e45fceea167a", "state": "running", "stage": "pictures", "done": 4}'


@router.get(
    "/{training}/events",
    summary="Follow a training",
    response_class=StreamingResponse,
    responses=described("training", TrainingBody, _EXAMPLE) | problem_responses(*TRAINING_PROBLEMS),
    name="get_training_events",
)
async def follow(training: TrainingId, trainings: TrainingsDep) -> StreamingResponse:
    """Sends the training now, and whenever it changes, until it has ended. Each event has all that is known."""
    return followed(trainings, training, TrainingBody.of)
