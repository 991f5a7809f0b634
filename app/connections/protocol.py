"""uvicorn's HTTP/1.1 protocol within the limits of connections."""

import asyncio
import logging
import sys
from typing import Any, cast

import h11
from starlette.types import Scope
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from app.api.problems import refusal
from app.connections.metered import MOST_HEAD_BYTES, MeteredConnection
from app.connections.table import ConnectionTable, Reason
from app.connections.watch import Phase
from app.errors import InvalidHttp, TesseraError

_log = logging.getLogger("tessera.connections.protocol")
_log.setLevel(logging.ERROR)
"""uvicorn also warns of each invalid request, which would let clients fill the disk. The table counts them."""


class LimitedProtocol(H11Protocol):
    """One connection, which a `ConnectionTable` watches."""

    conn: MeteredConnection

    def __init__(
        self,
        table: ConnectionTable,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.conn, self.logger, self._table = MeteredConnection(), _log, table

    @property
    def phase(self) -> Phase:
        """What the connection is waiting for."""
        if self.transport.get_write_buffer_size():
            return Phase.ANSWER
        if self._has_request:
            waits = self.cycle.more_body and not self.flow.read_paused
            return Phase.BODY if waits else Phase.WORK
        is_idle = self.conn.requests and self.conn.their_state is h11.IDLE and not self.conn.trailing_data[0]
        return Phase.IDLE if is_idle else Phase.HEAD

    @property
    def request(self) -> int:
        """The number of the connection's latest request."""
        return self.conn.requests

    @property
    def moved(self) -> int:
        """The bytes that were received, and those that were sent and taken by the client."""
        return self.conn.received + self.conn.sent - self.transport.get_write_buffer_size()

    @property
    def _has_request(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        super().connection_made(transport)
        self._table.opened(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._table.closed(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parses the data in small pieces, so that h11 notices at once when a head or a trailer is too large."""
        for start in range(0, len(data), MOST_HEAD_BYTES):
            if self.transport.is_closing():
                return
            super().data_received(data[start : start + MOST_HEAD_BYTES])
        if self._has_request:
            self._table.request_began(self)

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if not self._has_request:  # otherwise the next request has been received already
            self._table.request_ended(self)

    def send_400_response(self, msg: str) -> None:
        """Answers what is not HTTP, or exceeds a limit of the parser. uvicorn calls it where it handles h11's error."""
        self._table.count(Reason.INVALID)
        self._table.closed(self)
        self._end(InvalidHttp(f"the request cannot be read: {sys.exception() or msg}"), is_asked=True)

    def refuse(self, error: TesseraError) -> None:
        """Closes the connection. Sends the error if the client has sent something that was not answered yet."""
        self._end(error, self._has_request or bool(self.conn.trailing_data[0]))

    def _end(self, error: TesseraError, is_asked: bool) -> None:
        is_open = self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE) and not self.transport.is_closing()
        if is_asked and is_open and not self.transport.get_write_buffer_size():
            self._answer(error)
        if self._has_request:  # the application must not send anything more
            self.cycle.disconnected = True
            self.cycle.message_event.set()
            self.flow.resume_writing()
        if self.transport.get_write_buffer_size():
            self.transport.abort()
        else:
            self.transport.close()

    def _answer(self, error: TesseraError) -> None:
        response = refusal(cast(Scope, self.scope) if self._has_request else None, error)
        headers = [*response.raw_headers, (b"connection", b"close")]
        is_head = self._has_request and self.scope["method"] == "HEAD"
        for event in (
            h11.Response(status_code=error.status, headers=headers),
            h11.Data(data=b"" if is_head else bytes(response.body)),
            h11.EndOfMessage(),
        ):
            self.transport.write(self.conn.send(event) or b"")
