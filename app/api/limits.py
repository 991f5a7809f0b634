"""The limits on request bodies: on each body, and on the bodies of all unanswered requests together."""

import asyncio
from contextlib import suppress

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.errors import Overloaded, TesseraError, TooManyBytes

LINGER_S = 2.0
"""After a refusal, the body is read for this long: many clients read the answer only after sending everything."""
RETRY_AFTER_S = 1.0
"""The Retry-After of a refusal because all bodies together are too large."""

_KEY = "tessera.max_body_bytes"


def max_body_bytes(scope: Scope) -> int:
    """The limit on the body of a request that passed `BodyLimit`. It also applies to the decompressed body."""
    return int(scope[_KEY])


class BodyLimit:
    """Limits each request body to `max_bytes`, and the bodies of all unanswered requests together to `max_total_bytes`.

    Reading a body raises TooManyBytes or Overloaded: at the start if `Content-Length` exceeds a limit, otherwise when
    the received bytes exceed it. All requests must run on one event loop. Starlette's own `max_body_size` limits single
    bodies only. It closes connections while clients still send, so that many clients never read the reason.
    """

    def __init__(self, app: ASGIApp, max_bytes: int, max_total_bytes: int, linger_s: float = LINGER_S) -> None:
        self._app, self._max_bytes, self._max_total_bytes, self._linger_s = app, max_bytes, max_total_bytes, linger_s
        self._held = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope[_KEY] = self._max_bytes
        announced = Headers(scope=scope).get("content-length", "0")
        expected, received = int(announced) if announced.isdecimal() else 0, 0
        refused = complete = False

        async def receive_within_limits() -> Message:
            nonlocal received, refused, complete
            if complete:  # only a disconnect can follow
                return await receive()
            try:
                if not received:
                    self._check(expected, 0)
                message = await receive()
                size = len(message.get("body", b""))
                received, self._held = received + size, self._held + size
                self._check(received, received)
            except TesseraError:
                refused = True
                raise
            complete = not message.get("more_body", False)
            return message

        async def send_then_linger(message: Message) -> None:
            if refused and message["type"] == "http.response.body" and not message.get("more_body", False):
                await send({**message, "more_body": True})
                await self._linger(receive)
                message = {"type": "http.response.body", "body": b""}
            await send(message)

        try:
            await self._app(scope, receive_within_limits, send_then_linger)
        finally:
            self._held -= received

    def _check(self, expected: int, received: int) -> None:
        """Raises TooManyBytes or Overloaded if a body of `expected` bytes exceeds a limit.

        `received` of the bytes are already counted in `_held`.
        """
        if expected > self._max_bytes:
            raise TooManyBytes(f"the upload has more than {self._max_bytes:,} bytes; send a smaller file")
        others = self._held - received
        if others + expected > self._max_total_bytes:
            raise Overloaded(
                f"unanswered uploads hold {others:,} bytes, and with this upload they would exceed the server's "
                f"max_waiting_bytes ({self._max_total_bytes:,}); send it again later",
                RETRY_AFTER_S,
            )

    async def _linger(self, receive: Receive) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(self._linger_s):
                while (await receive()).get("more_body", False):
                    pass
