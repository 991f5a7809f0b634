"""Clients that post pictures. Each client posts its next picture when its previous one is answered."""

import http.client
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from threading import Thread
from time import perf_counter

from benchmarks.throughput.servers import Server

TIMEOUT_S = 900
BOUNDARY = "tessera-benchmark"


@dataclass(frozen=True, slots=True)
class Load:
    """The pictures per second of all clients together, and the seconds of each request."""

    pictures_per_s: float
    seconds: tuple[float, ...]

    def quantile(self, share: float) -> float:
        """The time that this share of the requests does not exceed."""
        ordered = sorted(self.seconds)
        return ordered[min(int(share * len(ordered)), len(ordered) - 1)]


def body(picture: bytes, field: str) -> bytes:
    """A multipart body with one file."""
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{field}"; filename="p.png"\r\n'
    return f"{head}Content-Type: image/png\r\n\r\n".encode() + picture + f"\r\n--{BOUNDARY}--\r\n".encode()


def post(connection: http.client.HTTPConnection, path: str, content: bytes, key: str | None = None) -> bytes:
    """Posts a body, and returns the response's body; raises RuntimeError for another status than 200."""
    headers = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
    headers |= {} if key is None else {"Authorization": f"Bearer {key}"}
    connection.request("POST", path, content, headers)
    response = connection.getresponse()
    answer = response.read()
    if response.status != 200:
        raise RuntimeError(f"{path} answered {response.status}: {answer[:300]!r}")
    return answer


def connect(server: Server) -> http.client.HTTPConnection:
    """A connection to a server."""
    return http.client.HTTPConnection("127.0.0.1", server.port, timeout=TIMEOUT_S)


def load(server: Server, pictures: Sequence[bytes], clients: int, requests: int) -> Load:
    """Measures `requests` requests of `clients` clients, which post the pictures in turn, until the last response."""
    bodies = [body(picture, server.field) for picture in pictures]
    numbers, seconds, failures = count(), [], []

    def client() -> None:
        try:
            connection = connect(server)
            while (number := next(numbers)) < requests:
                started = perf_counter()
                post(connection, server.predict, bodies[number % len(bodies)], server.key)
                seconds.append(perf_counter() - started)
        except Exception as error:
            failures.append(error)

    threads = [Thread(target=client) for _ in range(clients)]
    started = perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    elapsed = perf_counter() - started
    if failures:
        raise failures[0]
    return Load(len(seconds) / elapsed, tuple(seconds))
