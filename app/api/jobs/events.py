"""The events of a job, as server-sent events (HTML Living Standard, section 9.2)."""

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Header
from starlette.responses import StreamingResponse

from app.api.dependencies import JobsDep, Viewer
from app.api.jobs.parameters import JOB_PROBLEMS, PREFIX, JobId
from app.api.openapi import problem_responses
from app.errors import JobNotFound, JobsDatabaseUnavailable
from app.jobs import Jobs
from app.store import ENDED

router = APIRouter(prefix=PREFIX, tags=["jobs"])

HEARTBEAT_S = 15.0
"""A comment is sent after so long without an event, so that proxies and clients see that the connection lives."""
MEDIA_TYPE = "text/event-stream"
STREAM_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}  # proxies must not keep events back

LastEventId = Annotated[
    int | None,
    Header(
        alias="Last-Event-ID",
        ge=0,
        le=2**63 - 1,
        description="`id` of the last event that the client got: the stream goes on after it.",
        examples=[17],
    ),
]
_EXAMPLE = 'id: 17\nevent: progress\ndata: {"picture": 0, "stage": "rows", "done": 512, "total": 4096}\n\n'
_DESCRIPTION: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Events with the types `state`, `picture`, `progress` and `regions`; their data is JSON.",
        "content": {MEDIA_TYPE: {"schema": {"type": "string"}, "example": _EXAMPLE}},
    }
}


@router.get(
    "/{job}/events",
    summary="Follow a job",
    response_class=StreamingResponse,
    responses=_DESCRIPTION | problem_responses(*JOB_PROBLEMS),
    name="get_job_events",
)
async def follow(job: JobId, jobs: JobsDep, viewer: Viewer, last: LastEventId = None) -> StreamingResponse:
    """Sends what happens to the job until it ends: first what has happened, of progress only the latest.

    `state`: `{state}` of the job. `picture`: `{picture, state}`, with `error` if it failed. `progress`: `{picture,
    stage, done, total}` in rows. `regions`: `{picture, regions}`, those that no later row can change, each once.
    """
    await jobs.call(jobs.get, job, viewer)
    return StreamingResponse(_events(jobs, job, viewer, last or 0), headers=STREAM_HEADERS, media_type=MEDIA_TYPE)


async def _events(jobs: Jobs, id: str, viewer: str | None, last: int) -> AsyncIterator[str]:
    with jobs.watchers.watching(id) as changed:
        while not jobs.watchers.closed:
            changed.clear()
            try:
                ended = (await jobs.call(jobs.get, id, viewer)).state in ENDED
                events = await jobs.call(jobs.events, id, last)
            except JobNotFound:  # it was removed
                return
            except JobsDatabaseUnavailable:  # the stream goes on when it is back
                ended, events = False, []
            for event in events:
                yield f"id: {event.number}\nevent: {event.type}\ndata: {event.body}\n\n"
                last = event.number
            if events:
                continue
            if ended:
                return
            try:
                await asyncio.wait_for(changed.wait(), HEARTBEAT_S)
            except TimeoutError:
                yield ": waiting\n\n"
