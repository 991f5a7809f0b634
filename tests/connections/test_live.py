"""Slow, stalled and too many clients against a real server, beside its probes."""

import logging
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx2
import pytest

from app.settings import Settings
from tests.running import Live, running
from tests.waiting import WAIT_S, wait_until

HEAD = b"POST /v1/models/patchcore/predict HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\n"
STALLS: dict[str, tuple[bytes, bytes, str]] = {
    "nothing": (b"", b"", "head"),
    "half a head": (b"GET /livez HTTP/1.1\r\nHost: x\r\n", b"HTTP/1.1 408 ", "head"),
    "half a second head": (b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\nGET /li", b"HTTP/1.1 200 ", "head"),
    "no body": (HEAD + b"Content-Length: 99999\r\n\r\n", b"HTTP/1.1 408 ", "body"),
    "half a body": (HEAD + b"Content-Length: 99999\r\n\r\n" + bytes(5000), b"HTTP/1.1 408 ", "body"),
    "half a chunk": (HEAD + b"Transfer-Encoding: chunked\r\n\r\nffff\r\nabc", b"HTTP/1.1 408 ", "body"),
    "half a trailer": (HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX: y", b"HTTP/1.1 408 ", "body"),
    "a body that no route reads": (
        b"POST /livez HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\n",
        b"HTTP/1.1 405 ",
        "body",
    ),
}
MANNERS: dict[str, tuple[bytes, list[bytes]]] = {
    "HTTP/1.0": (b"GET /livez HTTP/1.0\r\n\r\n", [b"HTTP/1.1 200 "]),
    "pipelining": (b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n" * 3, [b"HTTP/1.1 200 "] * 3),
    "an upgrade": (
        b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
        [b"HTTP/1.1 200 "],
    ),
    "continue": (
        HEAD + b"Expect: 100-continue\r\nContent-Length: 3\r\n\r\nabc",
        [b"HTTP/1.1 100 ", b"HTTP/1.1 415 "],
    ),
    "no continue": (
        b"POST /nowhere HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n",
        [b"HTTP/1.1 404 "],
    ),
    "many small chunks": (
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\na\r\n" * 90 + b"0\r\n\r\n"
        b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n",
        [b"HTTP/1.1 415 ", b"HTTP/1.1 200 "],
    ),
    "trailers": (
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX: y\r\n\r\nGET /livez HTTP/1.1\r\nHost: x\r\n\r\n",
        [b"HTTP/1.1 415 ", b"HTTP/1.1 200 "],
    ),
}
INVALID: dict[str, tuple[bytes, str]] = {
    "no HTTP": (b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", ""),
    "many headers": (b"GET /livez HTTP/1.1\r\nHost: x\r\n" + b"a:b\r\n" * 200 + b"\r\n", "100 lines"),
    "a long header": (b"GET /livez HTTP/1.1\r\nHost: x\r\na: " + b"b" * 20_000 + b"\r\n\r\n", "16,384 bytes"),
    "tiny chunks": (HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\na\r\n" * 3000, "100 chunks"),
    "long trailers": (HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\n" + b"a:b\r\n" * 9000, ""),
}


@pytest.fixture(scope="module")
def server(models_dir: Path) -> Iterator[Live]:
    """A server with short time limits. A head must end before its connection counts as idle."""
    with running(
        Settings(models_dir=models_dir, device="cpu", head_timeout_s=1, stall_timeout_s=1, idle_timeout_s=5)
    ) as live:
        yield live


@pytest.fixture(scope="module")
def small_server(models_dir: Path) -> Iterator[Live]:
    """A server that takes few connections, and waits long for each: 16, of which 12 may have a request."""
    with running(Settings(models_dir=models_dir, device="cpu", max_connections=16)) as live:
        yield live


def connect(live: Live, data: bytes = b"") -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", int(live.url.rpartition(":")[2])), timeout=WAIT_S)
    connection.sendall(data)
    return connection


def read_all(connection: socket.socket) -> bytes:
    """All bytes until the server closes the connection."""
    received = b""
    while data := connection.recv(2**16):
        received += data
    return received


@contextmanager
def open_connections(live: Live, count: int, data: bytes) -> Iterator[list[socket.socket]]:
    with ExitStack() as stack:
        yield [stack.enter_context(connect(live, data)) for _ in range(count)]


def limited(live: Live, reason: str) -> float:
    """The value of the metric of this reason."""
    name = f'tessera_connections_limited_total{{reason="{reason}"}} '
    values = [line.removeprefix(name) for line in httpx2.get(f"{live.url}/metrics").text.splitlines() if name in line]
    return float(values[0]) if values else 0.0


@pytest.fixture(scope="module")
def answers(server: Live) -> dict[str, bytes]:
    """All that the server sends to each kind of client until it closes the connection; the clients come together."""
    data = {kind: sent for kind, (sent, *_) in (STALLS | MANNERS).items()}
    with ThreadPoolExecutor(len(data)) as pool, ExitStack() as stack:
        connections = {kind: stack.enter_context(connect(server, sent)) for kind, sent in data.items()}
        return dict(zip(data, pool.map(read_all, connections.values()), strict=True))


@pytest.mark.parametrize("kind", STALLS)
def test_a_stalled_client_is_told_and_closed(server: Live, answers: dict[str, bytes], kind: str) -> None:
    _, expected, reason = STALLS[kind]
    answer = answers[kind]
    assert answer.startswith(expected) and (bool(answer) == bool(expected))
    if b" 408 " in expected:
        assert b"connection: close" in answer and b'"code":"client_too_slow"' in answer and b"x-request-id" in answer
    assert limited(server, reason) >= sum(each == reason for _, _, each in STALLS.values())


@pytest.mark.parametrize("kind", MANNERS)
def test_unusual_requests_are_answered_and_their_idle_connections_closed(answers: dict[str, bytes], kind: str) -> None:
    _, expected = MANNERS[kind]
    assert [b"HTTP/1.1 " + part[:4] for part in answers[kind].split(b"HTTP/1.1 ")[1:]] == expected


def test_a_client_that_does_not_read_its_response_is_closed(server: Live) -> None:
    before = limited(server, "answer")
    with connect(server) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        asked = 0
        connection.settimeout(0.5)
        try:
            while asked < 2000:  # until the buffers of both sides are full
                connection.sendall(b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n")
                asked += 1
        except TimeoutError:
            pass
        wait_until(lambda: limited(server, "answer") == before + 1)
    wait_until(lambda: not server.server.server_state.tasks)


def test_a_slow_client_that_keeps_to_the_rate_is_answered(server: Live, normal_png: bytes) -> None:
    head = HEAD + f"Connection: close\r\nContent-Length: {len(normal_png)}\r\n\r\n".encode()
    pieces = 10
    size = len(normal_png) // pieces + 1  # in 2.5 s, beyond stall_timeout_s
    with connect(server, head) as connection:
        for start in range(0, len(normal_png), size):
            connection.sendall(normal_png[start : start + size])
            time.sleep(0.25)
        assert read_all(connection).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("kind", INVALID)
def test_what_is_too_costly_to_parse_is_refused_without_a_line_in_the_log(
    server: Live, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    data, named = INVALID[kind]
    with caplog.at_level(logging.INFO), connect(server) as connection:
        try:
            connection.sendall(data)
            answer = read_all(connection)
        except ConnectionError:  # the server has closed before it has read all
            answer = b""
    assert not answer or (answer.startswith(b"HTTP/1.1 400 ") and named.encode() in answer)
    assert limited(server, "invalid") > 0
    assert "cannot be read" not in caplog.text and "Traceback" not in caplog.text


@pytest.mark.parametrize("data", [b"", b"GET /livez HTTP/1.1\r\nHost:", b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"])
def test_the_oldest_connections_without_a_request_make_room_for_new_ones(small_server: Live, data: bytes) -> None:
    before = limited(small_server, "room")
    with open_connections(small_server, 60, data) as connections:
        for _ in range(5):
            assert httpx2.get(f"{small_server.url}/livez", timeout=5).status_code == 200
        assert len(small_server.app.state.connections) <= 16
        first = read_all(connections[0])
        assert (
            b" 503 " in first and b"too_many_connections" in first if data.endswith(b"Host:") else b" 503 " not in first
        )
    assert limited(small_server, "room") >= before + 40


def test_requests_beyond_the_limit_are_refused_and_probes_are_not(
    small_server: Live, normal_png: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    predict = f"{small_server.url}/v1/models/patchcore/predict"
    before = limited(small_server, "requests")
    with open_connections(small_server, 12, HEAD + b"Content-Length: 99999\r\n\r\n") as stalled:
        wait_until(lambda: small_server.app.state.connections._requests == 12)
        answer = httpx2.post(predict, content=normal_png, headers={"Content-Type": "image/png"})
        assert (answer.status_code, answer.json()["code"]) == (503, "too_many_connections")
        assert int(answer.headers["Retry-After"]) >= 1 and answer.headers["X-Request-ID"]
        assert httpx2.get(f"{small_server.url}/v1/models").headers["Connection"] == "close"
        for path in ("livez", "readyz", "metrics"):
            assert httpx2.get(f"{small_server.url}/{path}").status_code == 200
        assert limited(small_server, "requests") == before + 2
        wait_until(lambda: httpx2.post(predict, content=normal_png).status_code == 200)  # a stalled one makes room
        assert sum(read_if_closed(connection).startswith(b"HTTP/1.1 408 ") for connection in stalled) == 1
    assert "status=503" not in caplog.text


def read_if_closed(connection: socket.socket) -> bytes:
    connection.settimeout(0.01)
    try:
        return connection.recv(2**16)
    except TimeoutError:
        return b""


def test_stalled_clients_are_closed_at_the_end_of_the_grace(models_dir: Path) -> None:
    settings = Settings(models_dir=models_dir, device="cpu", shutdown_grace_s=0.5)
    with ExitStack() as stack:
        with running(settings) as live:
            for data, _, _ in STALLS.values():
                stack.enter_context(connect(live, data))
            wait_until(lambda: len(live.app.state.connections) >= len(STALLS))
            started = time.monotonic()
        assert time.monotonic() - started < 5
