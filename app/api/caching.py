"""What browsers and proxies may keep of an answer (RFC 9111), and how they ask whether it has changed (RFC 9110)."""

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.root_path import own_path

ASSETS = "/docs/assets/"
CODING = "Accept-Encoding"


class CacheHeaders:
    """Says `no-store` where a route says nothing: what was seen in a picture is nobody else's, and new every time.

    Files of the documentation change with versions of the server only, and are kept for a day.

    Stands outside of the compression and makes entity tags weak. A strong one names the same bytes always (RFC 9110,
    section 8.8.3.3), so that it would have to differ between what is compressed and what is not, and 304, which has no
    body, could not tell which of them it confirms.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        usual = "public, max-age=86400" if own_path(scope).startswith(ASSETS) else "no-store"

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.setdefault("Cache-Control", usual if message["status"] < 400 else "no-store")
                _weaken(headers)
            await send(message)

        await self._app(scope, receive, send_with_headers)


def _weaken(headers: MutableHeaders) -> None:
    """Makes the tag weak, and names what the answer that it is of depends on: 304 must, too."""
    tag = headers.get("ETag")
    if tag is None:
        return
    headers["ETag"] = f"W/{tag.removeprefix('W/')}"
    if CODING.lower() not in headers.get("Vary", "").lower():
        headers.add_vary_header(CODING)
