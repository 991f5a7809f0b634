"""The route that follows a teaching."""

from fastapi import APIRouter
from starlette.responses import StreamingResponse

from app.api.dependencies import TeachingsDep
from app.api.openapi import problem_responses
from app.api.run_events import described, followed
from app.api.schemas.teaching import TeachingBody
from app.api.teachings.parameters import PREFIX, TEACHING_PROBLEMS, TeachingId

router = APIRouter(prefix=PREFIX, tags=["teachings"])

_EXAMPLE = '{"id": "8f14e45fceea167a", "state": "running", "stage": "replay", "done": 120, "total": 200}'


@router.get(
    "/{teaching}/events",
    summary="Follow a teaching",
    response_class=StreamingResponse,
    responses=described("teaching", TeachingBody, _EXAMPLE) | problem_responses(*TEACHING_PROBLEMS),
    name="get_teaching_events",
)
async def follow(teaching: TeachingId, teachings: TeachingsDep) -> StreamingResponse:
    """Sends the teaching now, and whenever it changes, until its process has ended. Each event has all that is known.

    Later decisions send no event.
    """
    return followed(teachings, teaching, TeachingBody.of)
