"""The header `X-Request-ID`, which identifies each request in the log."""

import re
from uuid import uuid4

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADER = "X-Request-ID"
_KEY = "tessera.request_id"
_GIVEN = re.compile(r"[A-Za-z0-9._:/+=-]{1,128}")  # no character that could break a line of the log
_TRACE = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(-.*)?")
"""A valid `traceparent` (W3C Trace Context, section 3.2)."""


def request_id(scope: Scope) -> str:
    """The ID of a request that passed `RequestId`; empty for other requests."""
    return str(scope.get(_KEY, ""))


class RequestId:
    """Gives each request an ID, and adds it to the response.

    The ID is the client's `X-Request-ID` if it is valid, else the trace ID of a valid `traceparent`, else a new one.
    No package is used: they keep the ID in context variables, which the decoding threads do not see.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        given, trace = headers.get(HEADER, ""), _TRACE.fullmatch(headers.get("traceparent", ""))
        scope[_KEY] = given if _GIVEN.fullmatch(given) else trace[1] if trace else uuid4().hex

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)[HEADER] = scope[_KEY]
            await send(message)

        await self._app(scope, receive, send_with_id)
