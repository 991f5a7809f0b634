"""Reads the body of a request in order."""

from io import BytesIO

from fastapi import Request
from starlette.requests import ClientDisconnect

from app.api.picture_body import refuse_unknown_charset
from app.api.v2.invalid import malformed


class BodyStream:
    """The body of a request, read part by part. Raises HTTPException for a charset that is not known.

    A part becomes one bytes object while it is received, so that no second copy of it is ever in memory.

    position: the number of bytes that were read
    """

    def __init__(self, request: Request) -> None:
        refuse_unknown_charset(request.headers.get("content-type", ""))
        self._messages = request.stream()
        self._rest = memoryview(b"")
        self.position = 0

    async def read(self, size: int | None = None) -> bytes:
        """The next `size` bytes, fewer at the end of the body; None: all that follow. Raises HTTPException."""
        part = BytesIO()
        try:
            while (size is None or part.tell() < size) and await self._has_more():
                taken = self._rest if size is None else self._rest[: size - part.tell()]
                part.write(taken)
                self._rest = self._rest[len(taken) :]
        except BaseException:
            part.close()  # the exception refers to this frame until it is answered
            raise
        self.position += part.tell()
        return part.getvalue()

    async def skip(self) -> int:
        """Reads to the end of the body, and returns the number of bytes that followed. Raises HTTPException."""
        skipped = 0
        while await self._has_more():
            skipped += len(self._rest)
            self._rest = memoryview(b"")
        self.position += skipped
        return skipped

    async def _has_more(self) -> bool:
        try:
            while not self._rest:
                self._rest = memoryview(await anext(self._messages))
        except StopAsyncIteration:
            return False
        except ClientDisconnect as error:
            raise malformed("the body ended before it was complete") from error
        return True
