"""The limits on request bodies, and their decompression: each body, and the bodies of all unanswered requests."""

import asyncio
from contextlib import suppress

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.content_encoding import Decoder, decoder_of
from app.errors import Overloaded, TooManyBytes

LINGER_S = 2.0
"""After an early answer, the body is read for this long: many clients read the answer only after sending everything."""
RETRY_AFTER_S = 1.0
"""The Retry-After of a refusal because all bodies together are too large."""
_KEY = "tessera.body"
_MOST_DIGITS = 18  # of a Content-Length, which may have more than Python converts


class BodyLimit:
    """Limits each request body to `max_bytes`, and the bodies of all unanswered requests together to `max_total_bytes`.

    Reading a body raises TooManyBytes or Overloaded: at the start if `Content-Length` exceeds a limit, otherwise when
    the bytes exceed it. Bodies with a `Content-Encoding` are decompressed; the limits apply to the decompressed bytes,
    and `max_bytes` also to the compressed ones. Reading raises HTTPException for an unknown encoding and for bytes that
    do not have their encoding. All requests must run on one event loop. Starlette's own `max_body_size` limits single
    bodies only. It closes connections while clients still send, so that many clients never read the reason.
    """

    def __init__(self, app: ASGIApp, max_bytes: int, max_total_bytes: int, linger_s: float = LINGER_S) -> None:
        self._app, self._linger_s = app, linger_s
        self._held = _Held(max_bytes, max_total_bytes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if scope["method"] == "GET":  # no route reads its body, and answers that are files look for a disconnect there
            await self._app(scope, receive, send)
            return
        body = scope[_KEY] = _Body(Headers(scope=scope), receive, self._held)

        async def send_then_linger(message: Message) -> None:
            if body.is_unread and message["type"] == "http.response.body" and not message.get("more_body", False):
                await send({**message, "more_body": True})
                await self._linger(receive)
                message = {"type": "http.response.body", "body": b""}
            await send(message)

        try:
            await self._app(scope, body.receive, send_then_linger)
        finally:
            self._held.total -= body.size + body.beside

    async def _linger(self, receive: Receive) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(self._linger_s):
                while (await receive()).get("more_body", False):
                    pass


def hold(scope: Scope, size: int) -> None:
    """Counts `size` bytes that a request needs beside its body until it is answered, such as its numbers in an array.

    They count like bytes of bodies. Raises Overloaded if all bytes together would exceed the limit, and TooManyBytes if
    those of this request alone do. Call it on the event loop, before the bytes are allocated.
    """
    body: _Body = scope[_KEY]
    body.hold(size)


class _Held:
    """The number of bytes in the bodies of all unanswered requests, and its limits."""

    def __init__(self, max_bytes: int, max_total_bytes: int) -> None:
        self.max_bytes, self._max_total_bytes = max_bytes, max_total_bytes
        self.total = 0

    def check(self, expected: int, received: int) -> None:
        """Raises TooManyBytes or Overloaded if a body of `expected` bytes exceeds a limit.

        `received` of the bytes are already counted in `total`.
        """
        if expected > self.max_bytes:
            raise TooManyBytes(f"the upload has more than {self.max_bytes:,} bytes; send a smaller file")
        self._check_total(expected, received)

    def check_memory(self, expected: int, counted: int) -> None:
        """Raises TooManyBytes or Overloaded if a request that needs `expected` bytes exceeds the limit of all requests.

        `counted` of the bytes are already counted in `total`.
        """
        if expected > self._max_total_bytes:
            raise TooManyBytes(
                f"the request needs {expected:,} bytes of memory, and the server's max_waiting_bytes is "
                f"{self._max_total_bytes:,}; send a smaller picture, or send its file"
            )
        self._check_total(expected, counted)

    def _check_total(self, expected: int, counted: int) -> None:
        others = self.total - counted
        if others + expected > self._max_total_bytes:
            raise Overloaded(
                f"unanswered uploads hold {others:,} bytes, and with this upload they would exceed the server's "
                f"max_waiting_bytes ({self._max_total_bytes:,}); send it again later",
                RETRY_AFTER_S,
            )


class _Body:
    """The body of a request, decompressed.

    size: the number of decompressed bytes until now
    beside: the number of other bytes that the request needs
    """

    def __init__(self, headers: Headers, receive: Receive, held: _Held) -> None:
        self._receive, self._held = receive, held
        announced = headers.get("content-length", "0")
        self._announced = int(announced[:_MOST_DIGITS]) if announced.isdecimal() else 0
        self._encoding = ", ".join(headers.getlist("content-encoding"))
        self._decoder: Decoder | None = None
        self._received = 0
        self._is_sent = self._announced > 0 or "transfer-encoding" in headers
        self._has_begun = self._has_ended = self._is_complete = False
        self.size = self.beside = 0

    def hold(self, size: int) -> None:
        """See the function `hold`."""
        own = self.size + self.beside
        self._held.check_memory(own + size, own)
        self.beside, self._held.total = self.beside + size, self._held.total + size

    @property
    def is_unread(self) -> bool:
        """Whether the client still sends the body."""
        return self._is_sent and not self._has_ended

    async def receive(self) -> Message:
        """The next message for the application."""
        if self._is_complete:  # only a disconnect can follow
            return await self._receive()
        if not self._has_begun:
            self._held.check(self._announced, 0)
            self._decoder, self._has_begun = decoder_of(self._encoding), True
        message = await (self._next() if self._decoder is None else self._decompressed(self._decoder))
        size = len(message.get("body", b""))
        self.size, self._held.total = self.size + size, self._held.total + size
        if self._decoder is not None and self.size > self._held.max_bytes:
            raise TooManyBytes(f"the body unpacks to more than {self._held.max_bytes:,} bytes; send a smaller file")
        self._held.check(self.size, self.size)
        self._is_complete = not message.get("more_body", False)
        return message

    async def _next(self) -> Message:
        message = await self._receive()
        self._has_ended = not message.get("more_body", False)
        return message

    async def _decompressed(self, decoder: Decoder) -> Message:
        """The next piece as a message; the last message is empty."""
        while not (piece := await asyncio.to_thread(decoder.read)):
            if self._has_ended:
                decoder.finish()
                return {"type": "http.request", "body": b"", "more_body": False}
            message = await self._next()
            if message["type"] == "http.disconnect":
                return message
            data = message.get("body", b"")
            self._received += len(data)
            if self._received > self._held.max_bytes:
                raise TooManyBytes(f"the upload has more than {self._held.max_bytes:,} bytes; send a smaller file")
            decoder.feed(data)
        return {"type": "http.request", "body": piece, "more_body": True}
