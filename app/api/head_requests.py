"""HEAD for every route that answers GET (RFC 9110, section 9.3.2)."""

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class HeadRequests:
    """Answers HEAD with the status and headers of GET, without the body.

    The route sees GET, so that compression and `Content-Length` are those of GET. Adds HEAD to `Allow` where it lists
    GET. Runs inside of `Recording`, which records HEAD.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_head = scope["type"] == "http" and scope["method"] == "HEAD"
        seen = {**scope, "method": "GET"} if is_head else scope  # servers use the original to leave out bodies

        async def send_and_adapt(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                if "GET" in _methods(headers):
                    headers["Allow"] = ", ".join(sorted({*_methods(headers), "HEAD"}))
            elif is_head:
                message = {**message, "body": b""}
            await send(message)

        try:
            await self._app(seen, receive, send_and_adapt)
        finally:
            if is_head:
                scope.update(seen, method="HEAD")  # `Recording` reads the route there


def _methods(headers: MutableHeaders) -> list[str]:
    return [method.strip() for method in headers.get("Allow", "").split(",")]
