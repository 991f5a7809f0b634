"""Requests of the attackers, and what they got."""

import http.client
from contextlib import suppress
from dataclasses import dataclass, field
from time import monotonic

TIMEOUT_S = 300.0
PNG = {"Content-Type": "image/png"}
RAW = {"Content-Type": "application/octet-stream"}


@dataclass(frozen=True, slots=True)
class Request:
    """A request, as it is sent."""

    method: str
    path: str
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a client got. `status` is 0 if the connection ended without an answer; then `body` names the reason."""

    status: int
    body: bytes
    headers: dict[str, str]
    seconds: float


def send(port: int, request: Request, timeout_s: float = TIMEOUT_S) -> Answer:
    """Sends a request over a new connection, and reads the answer, also one that comes before all was sent."""
    started = monotonic()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout_s)
    try:
        with suppress(BrokenPipeError, ConnectionResetError):
            connection.request(request.method, request.path, request.body or None, request.headers)
        response = connection.getresponse()
        body = response.read()
        headers = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, body, headers, monotonic() - started)
    except (OSError, http.client.HTTPException) as error:
        return Answer(0, type(error).__name__.encode(), {}, monotonic() - started)
    finally:
        connection.close()
