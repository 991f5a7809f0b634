"""Redirects for paths with a slash too much or too little."""

from urllib.parse import quote

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class RelativeRedirects:
    """Makes the `Location` of Starlette's redirects relative to the path of the request (RFC 9110, section 10.2.2).

    Starlette writes the scheme, the host and the prefix that it sees. Behind a proxy, the client may need others. A
    relative reference keeps those of the client's URL.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_relative(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] == 307:
                MutableHeaders(scope=message)["Location"] = _other_slash(scope["path"], scope["query_string"])
            await send(message)

        await self._app(scope, receive, send_relative)


def _other_slash(path: str, query: bytes) -> str:
    """The relative reference from a path to the path without the slashes at its end, or with one if it has none.

    Clients disagree on `..` after an empty segment, so that the reference from several slashes begins at the root.
    """
    bare = path.rstrip("/")
    last = quote(bare.rpartition("/")[2], safe=":")
    more = f"../{last}" if path == f"{bare}/" else quote(bare, safe=":/")
    other = f"./{last}/" if path == bare else more
    return f"{other}?{query.decode('latin-1')}" if query else other
