"""The limits on request bodies, and their decompression: each body, and the bodies of all unanswered requests."""

import asyncio
from contextlib import suppress

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.admission import Upload, Uploads
from app.admission.uploads import SMALLER
from app.api.content_encoding import Decoder, decoder_of
from app.errors import TooManyBytes

LINGER_S = 2.0
"""After an early answer, the body is read for this long: many clients read the answer only after sending everything."""
_KEY = "tessera.body"
_MOST_DIGITS = 18  # of a Content-Length, which may have more than Python converts


class BodyLimit:
    """Limits each request body, and the bodies and answers of all unanswered requests together, by `uploads`.

    Reading a body raises TooManyBytes or Overloaded: at the start if `Content-Length` exceeds a limit, otherwise when
    the bytes exceed it. Bodies with a `Content-Encoding` are decompressed; the limits apply to the decompressed bytes,
    and that of one body also to the compressed ones. Reading raises HTTPException for an unknown encoding and for bytes
    that do not have their encoding. An answer counts while the client reads it. All requests must run on one event
    loop. Starlette's own `max_body_size` limits single bodies only. It closes connections while clients still send, so
    that many clients never read the reason.
    """

    def __init__(self, app: ASGIApp, uploads: Uploads, linger_s: float = LINGER_S) -> None:
        self._app, self._uploads, self._linger_s = app, uploads, linger_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if scope["method"] == "GET":  # no route reads its body, and answers that are files look for a disconnect there
            await self._app(scope, receive, send)
            return
        body = scope[_KEY] = _Body(scope, receive, self._uploads)

        async def send_then_linger(message: Message) -> None:
            if body.is_unread and message["type"] == "http.response.body" and not message.get("more_body", False):
                await body.sending(send, {**message, "more_body": True})
                body.end()  # its parts were dropped when the answer was made; others may upload meanwhile
                await self._linger(receive)
                message = {"type": "http.response.body", "body": b""}
            await body.sending(send, message)

        try:
            await self._app(scope, body.receive, send_then_linger)
        finally:
            body.end()

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


def pass_through(scope: Scope) -> None:
    """Lets the body of a request pass without limits and as it is, because its route limits what it holds of it.

    To be called before any of the body is read. The time of such a body is not limited either: it may have no end.
    """
    body: _Body = scope[_KEY]
    body.is_unlimited = True


def is_unlimited(scope: Scope) -> bool:
    """Whether the body of a request passes without limits."""
    body: _Body | None = scope.get(_KEY)
    return body is not None and body.is_unlimited


class _Body:
    """The body of a request, decompressed, and the bytes that the request holds."""

    def __init__(self, scope: Scope, receive: Receive, uploads: Uploads) -> None:
        headers = Headers(scope=scope)
        self._path, self._receive, self._uploads = scope["path"], receive, uploads
        self._upload: Upload | None = None
        announced = headers.get("content-length", "0")
        self._announced = int(announced[:_MOST_DIGITS]) if announced.isdecimal() else 0
        self._encoding = ", ".join(headers.getlist("content-encoding"))
        self._decoder: Decoder | None = None
        self._received = 0
        self._is_sent = self._announced > 0 or "transfer-encoding" in headers
        self._has_begun = self._has_ended = self._is_complete = False
        self._size = 0
        self.is_unlimited = False

    def hold(self, size: int) -> None:
        """See the function `hold`."""
        if self._upload is not None:
            self._upload.add_beside(size)

    @property
    def is_unread(self) -> bool:
        """Whether the client still sends the body."""
        return self._is_sent and not self._has_ended

    async def receive(self) -> Message:
        """The next message for the application."""
        if self._is_complete:  # only a disconnect can follow
            return await self._receive()
        if self.is_unlimited:
            message = await self._next()
            self._is_complete = self._has_ended
            return message
        if not self._has_begun:
            self._upload = self._uploads.begin(self._announced, (self._path, self._announced))
            self._decoder, self._has_begun = decoder_of(self._encoding), True
        message = await (self._next() if self._decoder is None else self._decompressed(self._decoder))
        size = len(message.get("body", b""))
        self._size += size
        if self._decoder is not None and self._size > self._uploads.largest:
            raise TooManyBytes(
                f"the body unpacks to more than {self._uploads.largest:,} bytes (max_image_bytes); {SMALLER}"
            )
        self._uploads.require(self._size)
        if self._upload is not None:
            self._upload.add(size)
        self._is_complete = not message.get("more_body", False)
        return message

    async def sending(self, send: Send, message: Message) -> None:
        """Sends a message, whose bytes count until the client has read them."""
        size = len(message.get("body", b""))
        if self._upload is None or not size:
            await send(message)
            return
        self._upload.add_answer(size)
        try:
            await send(message)
        finally:
            self._upload.remove(size)

    def end(self) -> None:
        """Frees the bytes that the request holds."""
        if self._upload is not None:
            self._upload.end()

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
            self._uploads.require(self._received)
            decoder.feed(data)
        return {"type": "http.request", "body": piece, "more_body": True}
