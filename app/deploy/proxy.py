"""What Serve's proxies do with each request. Runs in the proxies, so it imports no model code."""

from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.request_ids import HEADER, choose_id

VARIABLE = "RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH"
"""The environment variable of Ray that names `middlewares`; it must be set where nodes are started."""
IMPORT_PATH = "app.deploy.proxy:middlewares"


def middlewares() -> list[Middleware]:
    """The middlewares around Serve's own, the innermost first."""
    return [Middleware(OneRequestId)]


class OneRequestId:
    """Chooses the ID of each request as the application does, before Serve makes one of its own.

    Serve and the replica take it from the request. Serve alone would return invalid IDs of clients, and would hide
    `traceparent` from the application, because it gives each request an `X-Request-ID`.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            given = Headers(scope=scope)
            MutableHeaders(scope=scope)[HEADER] = choose_id(given.get(HEADER, ""), given.get("traceparent", ""))
        await self._app(scope, receive, send)


class LeaveToProxy:
    """Removes the ID from responses of a replica: the proxy adds the same one, and a second one would be sent."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_without_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                del MutableHeaders(scope=message)[HEADER]
            await send(message)

        await self._app(scope, receive, send_without_id)
