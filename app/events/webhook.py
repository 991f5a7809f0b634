"""A sink that posts events to a URL."""

import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from threading import Timer, local
from urllib.parse import SplitResult

from app.errors import InvalidSink, NotDelivered
from app.events.event import Event
from app.events.signature import Keys
from app.events.sink import TIMEOUT_S

PARALLEL = 4
MOST_ANSWER_BYTES = 2**16
_STALE = (BrokenPipeError, ConnectionResetError)
"""How a connection fails that the receiver has closed since the last event. RemoteDisconnected is one of these."""


class WebhookSink:
    """Posts each event as JSON, signed. Any answer from 200 to 299 accepts it.

    Connections are kept, one for each thread. Redirects are not followed: a signed event goes nowhere else. The whole
    exchange takes at most `timeout_s`, however slowly the receiver answers.
    """

    def __init__(
        self, name: str, url: SplitResult, keys: Keys, context: ssl.SSLContext | None, timeout_s: float = TIMEOUT_S
    ) -> None:
        self.name, self.parallel = name, PARALLEL
        self._url, self._keys, self._context, self._timeout_s = url, keys, context, timeout_s
        self._path = (url.path or "/") + (f"?{url.query}" if url.query else "")
        self._own = local()

    def send(self, event: Event) -> None:
        try:
            headers = self._keys.headers(event, int(time.time()))
        except InvalidSink as error:
            raise NotDelivered(str(error)) from error
        headers |= {"Content-Type": "application/json", "User-Agent": "tessera"}
        try:
            try:
                self._post(event.body, headers)
            except _STALE:
                self.close()
                self._post(event.body, headers)
        except (OSError, HTTPException) as error:
            self.close()
            raise NotDelivered(f"{type(error).__name__}: {error}") from error

    def close(self) -> None:
        connection: HTTPConnection | None = getattr(self._own, "connection", None)
        if connection is not None:
            connection.close()
            self._own.connection = None

    def _post(self, body: bytes, headers: dict[str, str]) -> None:
        connection = self._connection()
        with _ended_after(self._timeout_s, connection):
            connection.request("POST", self._path, body, headers)
            answer = connection.getresponse()
            text = answer.read(MOST_ANSWER_BYTES)
        if not answer.isclosed():  # it has more to say, which nobody reads
            self.close()
        if not 200 <= answer.status < 300:
            more = "; redirects are not followed" if 300 <= answer.status < 400 else f" {text[:200]!r}"
            raise NotDelivered(f"it answers {answer.status}{more}", _retry_after_s(answer.getheader("Retry-After")))

    def _connection(self) -> HTTPConnection:
        connection: HTTPConnection | None = getattr(self._own, "connection", None)
        if connection is None:
            host, port = self._url.hostname or "", self._url.port
            if self._context is None:
                connection = HTTPConnection(host, port, timeout=self._timeout_s)
            else:
                connection = HTTPSConnection(host, port, timeout=self._timeout_s, context=self._context)
            self._own.connection = connection
        return connection


@contextmanager
def _ended_after(seconds: float, connection: HTTPConnection) -> Iterator[None]:
    """Ends the connection if the block takes longer: the timeout of a socket counts from one byte to the next."""

    def end() -> None:
        with suppress(OSError, AttributeError):
            connection.sock.shutdown(socket.SHUT_RDWR)

    timer = Timer(seconds, end)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _retry_after_s(text: str | None) -> float | None:
    """The wait of a header Retry-After: seconds, or a date (RFC 9110, section 10.2.3)."""
    if text is None:
        return None
    with suppress(ValueError):
        return float(int(text))
    with suppress(ValueError, TypeError):
        return max((parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds(), 0.0)
    return None
