"""A connection of a client to its stream."""

import asyncio

from app.errors import InvalidStream, TesseraError
from app.service.streaming.options import RowFormat


class Connection:
    """A connection to a stream.

    sent: the sequence number of the last region that was sent, or that the client has already
    pauses: whether its rows have ended, and another connection will continue
    """

    def __init__(self, form: RowFormat, sent: int = 0, known_rows: int = 0) -> None:
        """`known_rows` are the rows at its beginning that the stream has already."""
        self._form = form
        self._left = bytearray()  # the beginning of a row
        self._known_bytes = known_rows * form.row_bytes
        self._closed: asyncio.Future[TesseraError] = asyncio.get_running_loop().create_future()
        self.sent, self.pauses = sent, False

    def close(self, reason: TesseraError) -> None:
        """Ends the connection with this error."""
        if not self._closed.done():
            self._closed.set_result(reason)

    async def closed(self) -> TesseraError:
        """The error with which the connection must end, as soon as it must."""
        return await asyncio.shield(self._closed)

    def whole_rows(self, data: bytes) -> bytes:
        """The bytes of the rows that are whole with these bytes, without those that the stream has already."""
        known = min(self._known_bytes, len(data))
        self._known_bytes -= known
        self._left += memoryview(data)[known:]
        size = len(self._left) // self._form.row_bytes * self._form.row_bytes
        found = bytes(memoryview(self._left)[:size])
        del self._left[:size]
        return found

    def require_whole(self) -> None:
        """Raises InvalidStream if the rows have ended within a row, or before the first row that the stream lacks."""
        form = self._form
        left = len(self._left) or -self._known_bytes % form.row_bytes
        if left:
            raise InvalidStream(
                f"the body ends with {left:,} bytes of a row, which has {form.row_bytes:,} ({form.width:,} pixels x "
                f"{form.channels} x {form.dtype}); send whole rows"
            )
