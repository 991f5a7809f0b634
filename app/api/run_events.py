"""The events of a training or teaching, as server-sent events (HTML Living Standard, section 9.2)."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any, TypeVar

from pydantic import BaseModel
from starlette.responses import StreamingResponse

from app.api.jobs.events import HEARTBEAT_S, MEDIA_TYPE, STREAM_HEADERS
from app.trainings import Run, Runs

R = TypeVar("R", bound=Run)


def described(event: str, body: type[BaseModel], data: str) -> dict[int | str, dict[str, Any]]:
    """The answer of a route in the OpenAPI document. `data` is an example of the data of an event, as JSON."""
    content = {"schema": {"type": "string"}, "example": f"event: {event}\ndata: {data}\n\n"}
    description = f"Events of the type `{event}`; their data is a {body.__name__}."
    return {200: {"description": description, "content": {MEDIA_TYPE: content}}}


def followed(runs: Runs[R], id: str, body: Callable[[R], BaseModel]) -> StreamingResponse:
    """Sends a run now, and whenever it changes, until its process has ended. Raises the error of an unknown id."""
    runs.get(id)
    return StreamingResponse(_events(runs, id, body), headers=STREAM_HEADERS, media_type=MEDIA_TYPE)


async def _events(runs: Runs[R], id: str, body: Callable[[R], BaseModel]) -> AsyncIterator[str]:
    sent = None
    with runs.watchers.watching(id) as changed:
        while not runs.watchers.closed:
            changed.clear()
            try:
                run = runs.get(id)
            except runs.not_found:  # it was removed
                return
            if run != sent:
                yield f"event: {runs.kind}\ndata: {body(run).model_dump_json()}\n\n"
                sent = run
            if run.ended:
                return
            try:
                await asyncio.wait_for(changed.wait(), HEARTBEAT_S)
            except TimeoutError:
                yield ": waiting\n\n"
