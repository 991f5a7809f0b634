"""The limit on the bytes of an upload."""

import asyncio
from contextlib import suppress

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.errors import TooManyBytes

LINGER_S = 2.0
"""How long what a refused client still sends is read and dropped: many read no answer before they have sent all."""


_KEY = "tessera.max_body_bytes"


def max_body_bytes(scope: Scope) -> int:
    """The limit on the body of a request that came through `BodyLimit`, which holds for what it unpacks to, too."""
    return int(scope[_KEY])


class BodyLimit:
    """Raises TooManyBytes where a body is read that is larger: at once if `Content-Length` tells, else on the way."""

    def __init__(self, app: ASGIApp, max_bytes: int, linger_s: float = LINGER_S) -> None:
        self._app, self._max_bytes, self._linger_s = app, max_bytes, linger_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope[_KEY] = self._max_bytes
        announced = Headers(scope=scope).get("content-length", "0")
        received, refused = int(announced) if announced.isdecimal() else 0, False
        if received <= self._max_bytes:
            received = 0

        async def receive_within_limit() -> Message:
            nonlocal received, refused
            if received <= self._max_bytes:
                message = await receive()
                received += len(message.get("body", b""))
            if received > self._max_bytes:
                refused = True
                raise TooManyBytes(f"the upload has more than {self._max_bytes:,} bytes; send a smaller file")
            return message

        async def send_then_linger(message: Message) -> None:
            if refused and message["type"] == "http.response.body" and not message.get("more_body", False):
                await send({**message, "more_body": True})
                await self._linger(receive)
                message = {"type": "http.response.body", "body": b""}
            await send(message)

        await self._app(scope, receive_within_limit, send_then_linger)

    async def _linger(self, receive: Receive) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(self._linger_s):
                while (await receive()).get("more_body", False):
                    pass
