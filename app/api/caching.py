"""What browsers and proxies may keep of an answer (RFC 9111)."""

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

ASSETS = "/docs/assets/"


class CacheHeaders:
    """Says `no-store` where a route says nothing: what was seen in a picture is nobody else's, and new every time.

    Files of the documentation change with versions of the server only, and are kept for a day.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        usual = "public, max-age=86400" if scope["path"].startswith(ASSETS) else "no-store"

        async def send_with_header(message: Message) -> None:
            if message["type"] == "http.response.start":
                kept = usual if message["status"] < 400 else "no-store"
                MutableHeaders(scope=message).setdefault("Cache-Control", kept)
            await send(message)

        await self._app(scope, receive, send_with_header)
