"""Caching of responses by browsers and proxies (RFC 9111), and weak entity tags (RFC 9110)."""

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.root_path import own_path

ASSETS = "/docs/assets/"
CODING = "Accept-Encoding"
RANGED = "image/tiff"
"""The type of files that are sent in ranges. They are never compressed, and `If-Range` needs a strong tag."""


class CacheHeaders:
    """Adds `Cache-Control` to responses that have none, and makes entity tags weak.

    The default is `no-store`, because a prediction is confidential, and computed anew for each request. Files of the
    documentation are cached for a day, because they change only with the version of the server. Errors are not cached.

    Runs outside of the compression. A strong entity tag identifies exact bytes (RFC 9110, section 8.8.3.3), so that
    compressed and uncompressed responses would need different tags. A 304 has no body, and could not show which of the
    two it confirms.
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
    """Makes the entity tag weak, and adds `Vary: Accept-Encoding`, which a 304 must have, too."""
    tag = headers.get("ETag")
    if tag is None or headers.get("Content-Type") == RANGED:
        return
    headers["ETag"] = f"W/{tag.removeprefix('W/')}"
    if CODING.lower() not in headers.get("Vary", "").lower():
        headers.add_vary_header(CODING)
