"""A record of each request, for metrics and logs."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from time import monotonic

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.access import key_of
from app.api.request_context import RequestContext, begin_request
from app.api.request_id import request_id
from app.service import Verdict

_TRACE = frozenset({b"traceparent", b"tracestate"})
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
    started_s: the start of the request, on the clock `monotonic`
    key: the name of the API key of the request, also if it does not allow the request; None: none was needed, or known
    code: the code of the error that was answered; empty: none
    verdicts: those of the pictures
    trace: the headers `traceparent` and `tracestate`, as far as they were sent
    """

    method: str
    path: str
    route: str
    model: str | None
    status: int
    seconds: float
    client: str
    request_id: str
    started_s: float = 0.0
    key: str | None = None
    code: str = ""
    verdicts: Sequence[Verdict] = ()
    trace: Mapping[str, str] = field(default_factory=dict)


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
        context = begin_request(request_id(scope))

        async def send_and_see(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, send_and_see)
        finally:
            self._record(_described(scope, context, status, started, self._clock() - started))


def _described(scope: Scope, context: RequestContext, status: int, started: float, seconds: float) -> RequestRecord:
    client, _ = scope.get("client") or ("", 0)
    key = key_of(scope)
    return RequestRecord(
        scope["method"],
        scope["path"],
        getattr(scope.get("route"), "path", ""),
        scope.get("path_params", {}).get("model"),
        status,
        seconds,
        client,
        context.request_id,
        started,
        key.name if key else None,
        context.code,
        context.verdicts,
        {name.decode(): value.decode("latin-1") for name, value in scope["headers"] if name in _TRACE},
    )
