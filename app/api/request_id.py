"""Every response tells by which id its request is found in the log."""

import re
from uuid import uuid4

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADER = "X-Request-ID"
_KEY = "tessera.request_id"
_GIVEN = re.compile(r"[A-Za-z0-9._:/+=-]{1,128}")  # nothing that could break a line of the log


def request_id(scope: Scope) -> str:
    """The id of a request that came through `RequestId`."""
    return str(scope.get(_KEY, ""))


class RequestId:
    """Takes the client's `X-Request-ID` where it is one, or makes one.

    By hand: the packages for it keep the id in context variables, which the threads that decode do not see.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get(HEADER, "")
        scope[_KEY] = given if _GIVEN.fullmatch(given) else uuid4().hex

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)[HEADER] = scope[_KEY]
            await send(message)

        await self._app(scope, receive, send_with_id)
