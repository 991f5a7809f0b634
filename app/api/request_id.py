"""The header `X-Request-ID`, which identifies each request in the log."""

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.request_ids import HEADER, choose_id

_KEY = "tessera.request_id"


def request_id(scope: Scope) -> str:
    """The ID of a request that passed `RequestId`; empty for other requests."""
    return str(scope.get(_KEY, ""))


class RequestId:
    """Gives each request an ID, and adds it to the response.

    No package is used: they keep the ID in context variables, which the decoding threads do not see.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        scope[_KEY] = choose_id(headers.get(HEADER, ""), headers.get("traceparent", ""))

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)[HEADER] = scope[_KEY]
            await send(message)

        await self._app(scope, receive, send_with_id)
