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

from app.api.limits import is_unlimited
from app.api.problems import refusal
from app.connections.last_answer import last_answer
from app.connections.metered import MOST_HEAD_BYTES, MeteredConnection
from app.connections.probes import is_probe
from app.connections.slices import Slice, Slices
from app.connections.table import ConnectionTable, Reason
from app.connections.watch import Phase
from app.errors import InvalidHttp, TesseraError

_log = logging.getLogger("tessera.connections.protocol")
_log.setLevel(logging.ERROR)
"""uvicorn also warns of each invalid request, which would let clients fill the disk. The table counts them."""


class LimitedProtocol(H11Protocol):
    """One connection, which a `ConnectionTable` watches."""

    conn: MeteredConnection
    number: int

    def __init__(
        self,
        table: ConnectionTable,
        slices: Slices,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.conn, self.logger, self._table, self._slices = MeteredConnection(), _log, table, slices
        self._unparsed = bytearray()
        self._is_lost, self._lost = False, cast(Exception | None, None)
        self._waits_for_slice = False

    @property
    def phase(self) -> Phase:
        """What the connection is waiting for."""
        if self.transport.get_write_buffer_size():
            return Phase.ANSWER
        if self._has_request:
            waits = self.cycle.more_body and not self.flow.read_paused and not self._waits_for_slice
            waits = waits and not is_unlimited(cast(Scope, self.scope))  # its route limits how long it waits
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
        self.number = self._table.opened(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Ends the request in a later turn of the event loop, because thousands of clients may leave in one turn."""
        self._table.closed(self)
        if self._has_request or self._waits_for_slice:
            self._is_lost, self._lost = True, exc
            self._wait(Slice.REST)
        else:
            super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parses the first slice of the data at once if few connections send something, and the rest later."""
        self._unparsed += data
        if self._waits_for_slice:  # the application has asked for more of the body
            self.transport.pause_reading()
        else:
            kind = Slice.PROBE if is_probe(data) else Slice.REQUEST
            if self._slices.take(kind):
                self._parse()
            else:
                self._wait(kind)

    def work(self) -> None:
        """Parses the next slice of what was received, or ends the request of a lost connection."""
        self._waits_for_slice = False
        if self._is_lost:
            super().connection_lost(self._lost)
        elif not self.transport.is_closing():
            self.conn.begin_slice()
            self.handle_events()
            self._parse()
            if not self._waits_for_slice and not self.flow.read_paused:
                self.transport.resume_reading()

    def _parse(self) -> None:
        """Parses data in small pieces, so that h11 notices at once when a head or a trailer is too large."""
        while self._unparsed and not self.conn.slice_ended and not self.transport.is_closing():
            piece = bytes(self._unparsed[:MOST_HEAD_BYTES])
            del self._unparsed[:MOST_HEAD_BYTES]
            super().data_received(piece)
        if self._has_request:
            self._table.request_began(self)
        self._end_slice()

    def _end_slice(self) -> None:
        """Waits for the next slice if this one has ended: data may be left."""
        if not self.conn.slice_ended:
            self.conn.begin_slice()
        elif not self.transport.is_closing():
            self._wait(Slice.REST)

    def _wait(self, kind: Slice) -> None:
        if not self._waits_for_slice:
            self._waits_for_slice = True
            self.transport.pause_reading()
            self._slices.wait(self, kind)

    def on_response_complete(self) -> None:
        """Lets other connections have a turn if the next request has been received already."""
        if self._unparsed or self.conn.trailing_data[0]:
            self.conn.end_slice()
        super().on_response_complete()
        self._end_slice()
        if not self._has_request:
            self._table.request_ended(self)

    def send_400_response(self, msg: str) -> None:
        """Answers what is not HTTP, or exceeds a limit of the parser. uvicorn calls it where it handles h11's error."""
        self._table.count(Reason.INVALID)
        self._table.closed(self)
        self._end(InvalidHttp(f"the request cannot be read: {sys.exception() or msg}"), is_asked=True)

    def refuse(self, error: TesseraError) -> None:
        """Closes the connection. Sends the error if the client has sent something that was not answered yet."""
        self._end(error, self._has_request or bool(self._unparsed or self.conn.trailing_data[0]))

    def _end(self, error: TesseraError, is_asked: bool) -> None:
        is_open = self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE) and not self.transport.is_closing()
        if is_asked and is_open and not self.transport.get_write_buffer_size():
            self._answer(error)
        if self._has_request:
            self.cycle.disconnected = True  # the application must not send anything more
        if self.transport.get_write_buffer_size():
            self.transport.abort()
        else:
            self.transport.close()

    def _answer(self, error: TesseraError) -> None:
        response = refusal(cast(Scope, self.scope) if self._has_request else None, error)
        self.transport.write(last_answer(response, is_head=self._has_request and self.scope["method"] == "HEAD"))
