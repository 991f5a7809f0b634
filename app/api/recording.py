"""A record of each request, for metrics and logs."""

from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.request_id import request_id

CLIENT_GONE = 499
"""The status of requests whose client disconnected before the response; nginx logs the same."""


@dataclass(frozen=True, slots=True)
class RequestRecord:
    """A request that has ended.

    route: the template of the path; empty if no route matched
    model: the name of the model in the path, if there is one
    status: the status of the response, or CLIENT_GONE
    seconds: the time from the start of the request to its end
    client: the client's address; that of a proxy, unless the server trusts its `X-Forwarded-For`
    """

    method: str
    path: str
    route: str
    model: str | None
    status: int
    seconds: float
    client: str
    request_id: str


class Recording:
    """Calls `record` with a record of each request when the request has ended."""

    def __init__(
        self, app: ASGIApp, record: Callable[[RequestRecord], None], clock: Callable[[], float] = monotonic
    ) -> None:
        self._app, self._record, self._clock = app, record, clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status = self._clock(), CLIENT_GONE

        async def send_and_see(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, send_and_see)
        finally:
            self._record(self._described(scope, status, self._clock() - started))

    def _described(self, scope: Scope, status: int, seconds: float) -> RequestRecord:
        route = getattr(scope.get("route"), "path", "")
        model = scope.get("path_params", {}).get("model")
        client, _ = scope.get("client") or ("", 0)
        return RequestRecord(scope["method"], scope["path"], route, model, status, seconds, client, request_id(scope))
