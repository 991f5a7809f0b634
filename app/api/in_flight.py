"""The requests that are being answered: how the last of them are given up, and which stay unanswered."""

import asyncio
from dataclasses import dataclass

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.problems import error_response
from app.errors import EngineStopped

STOPPED = "the server is shutting down; send the request again, to another server or later"


@dataclass(slots=True, eq=False)
class _Request:
    """A request.

    task: the task that answers it
    whole: whether all of it was received
    started: whether its answer has begun
    answered: whether its answer was sent in full
    gone: whether its client has left
    given_up: whether it gets EngineStopped instead of its answer
    """

    task: asyncio.Task[object] | None
    whole: bool
    started: bool = False
    answered: bool = False
    gone: bool = False
    given_up: bool = False

    @property
    def is_owed(self) -> bool:
        """Whether the client has sent the whole request, and waits for its answer."""
        return self.whole and not self.answered and not self.gone


class RequestsInFlight:
    """The requests that are being answered. For one event loop."""

    def __init__(self) -> None:
        self._open: set[_Request] = set()
        self._lost = 0

    @property
    def unanswered(self) -> int:
        """The number of requests that wait for an answer, or ended without one since the last were given up."""
        return self._lost + sum(request.is_owed for request in self._open)

    def give_up(self) -> None:
        """Answers requests by EngineStopped that are received whole and whose answer has not begun."""
        self._lost = 0
        for request in self._open:
            if request.is_owed and not request.started and request.task is not None:
                request.given_up = True
                request.task.cancel()

    def add(self, scope: Scope) -> _Request:
        headers = dict(scope["headers"])
        empty = headers.get(b"content-length", b"0") == b"0" and b"transfer-encoding" not in headers
        request = _Request(asyncio.current_task(), whole=empty)
        self._open.add(request)
        return request

    def remove(self, request: _Request) -> None:
        self._open.discard(request)
        self._lost += request.is_owed


class InFlight:
    """Keeps `requests` up to date, and answers those that are given up."""

    def __init__(self, app: ASGIApp, requests: RequestsInFlight) -> None:
        self._app, self._requests = app, requests

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = self._requests.add(scope)

        async def receive_and_see() -> Message:
            message = await receive()
            if message["type"] == "http.disconnect":
                request.gone = not request.answered
            elif not message.get("more_body", False):
                request.whole = True
            return message

        async def send_and_see(message: Message) -> None:
            request.started = True
            await send(message)
            if message["type"] == "http.response.body" and not message.get("more_body", False):
                request.answered = True

        try:
            await self._app(scope, receive_and_see, send_and_see)
        except asyncio.CancelledError:
            if not request.given_up or request.started or request.task is None:
                raise
            request.task.uncancel()
            await error_response(scope, EngineStopped(STOPPED))(scope, receive, send_and_see)
        finally:
            self._requests.remove(request)
