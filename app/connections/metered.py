"""h11's connection with counts, and with limits on what it parses at once."""

import re

import h11

MOST_HEAD_BYTES = 16 * 2**10
"""The largest head of a request, and the largest trailer of a chunked body."""
MOST_HEAD_LINES = 100
FREE_CHUNKS = 100
LEAST_CHUNK_BYTES = 128
"""The least mean size of a body's chunks after the first `FREE_CHUNKS`: parsing takes the same time for any size."""
PARTS_PER_SLICE = 8
"""The number of heads and chunks that are parsed before other connections have a turn."""
_HEAD_END = re.compile(rb"\n\r?\n")


class MeteredConnection(h11.Connection):
    """The server's side of an HTTP/1.1 connection.

    Parses in slices: after `PARTS_PER_SLICE` heads and chunks, `next_event` returns NEED_DATA until `begin_slice`.

    received, sent: the number of bytes
    requests: the number of requests whose heads were received
    """

    def __init__(self) -> None:
        super().__init__(h11.SERVER, MOST_HEAD_BYTES)
        self.received = self.sent = self.requests = 0
        self._chunks = self._body_bytes = 0
        self._left = PARTS_PER_SLICE
        self._head: list[bytes] = []  # of a response, until its body begins

    @property
    def slice_ended(self) -> bool:
        """Whether received data may be left that was not parsed because the slice has ended."""
        return not self._left

    def begin_slice(self) -> None:
        """Allows the next `PARTS_PER_SLICE` heads and chunks."""
        self._left = PARTS_PER_SLICE

    def end_slice(self) -> None:
        """Parses nothing more before `begin_slice`."""
        self._left = 0

    def receive_data(self, data: bytes) -> None:
        self.received += len(data)
        super().receive_data(data)

    def send_with_data_passthrough(self, event: h11.Event) -> list[bytes] | None:
        """The bytes to send; h11's `send` joins them.

        The head of a response is sent with the beginning of its body: sending takes a fifth of the time of a probe.
        """
        data = super().send_with_data_passthrough(event)
        if data is None:
            return None
        if isinstance(event, h11.Response):
            self._head = data
            return []
        data, self._head = self._head + data, []
        self.sent += sum(map(len, data))
        return data

    def next_event(self) -> h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]:
        """The next event. Raises RemoteProtocolError for what is not HTTP, and for what exceeds a limit."""
        if not self._left:
            return h11.NEED_DATA
        if self.their_state is h11.IDLE:
            self._check_head()
        event = super().next_event()
        if isinstance(event, h11.Request):
            self._left -= 1
            self.requests += 1
            self._chunks = self._body_bytes = 0
        elif isinstance(event, h11.Data):
            self._body_bytes += len(event.data)
            self._chunks += event.chunk_end
            self._left -= event.chunk_end
            if self._chunks > FREE_CHUNKS and self._body_bytes < self._chunks * LEAST_CHUNK_BYTES:
                raise h11.RemoteProtocolError(
                    f"the body has more than {FREE_CHUNKS:,} chunks, of less than {LEAST_CHUNK_BYTES} bytes on "
                    "average; send larger ones"
                )
        return event

    def _check_head(self) -> None:
        """Raises RemoteProtocolError if the head is too large, before h11 parses any of it."""
        data, _ = self.trailing_data
        end = _HEAD_END.search(data, 0, MOST_HEAD_BYTES)
        if end is None and len(data) > MOST_HEAD_BYTES:
            raise h11.RemoteProtocolError(
                f"the head of the request has more than {MOST_HEAD_BYTES:,} bytes; send shorter headers", 431
            )
        if data.count(b"\n", 0, end.end() if end else len(data)) > MOST_HEAD_LINES:
            raise h11.RemoteProtocolError(
                f"the head of the request has more than {MOST_HEAD_LINES} lines; send fewer headers", 431
            )
