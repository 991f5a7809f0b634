"""Kind 7: clients that send or read slowly, or not at all."""

import socket
from collections import Counter
from contextlib import ExitStack, suppress
from threading import Event

from benchmarks.torture.bombs.trick import PREDICT, Attack, Trick
from benchmarks.torture.served import Served

HOST = b"Host: localhost\r\n"
POST = f"POST {PREDICT} HTTP/1.1\r\n".encode() + HOST + b"Content-Type: image/png\r\n"


def _holding(count: int, sent: bytes, then: bytes = b"") -> Attack:
    """Keeps this many connections, each of which has sent something, and sends a little more each second."""

    def run(server: Served, ended: Event, got: Counter[str]) -> None:
        with ExitStack() as stack:
            held = []
            for _ in range(count):
                with suppress(OSError):
                    connection = stack.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=5))
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                    connection.sendall(sent)
                    connection.setblocking(False)
                    held.append(connection)
            got["held"] += len(held)
            while not ended.wait(1.0):
                for connection in held:
                    with suppress(OSError):
                        connection.send(then)

    return run


TRICKS = [
    Trick(7, "800 heads that are never ended", _holding(800, b"GET /livez HTTP/1.1\r\n" + HOST, b"a")),
    Trick(7, "900 bodies that stall", _holding(900, POST + b"Content-Length: 500000\r\n\r\n" + bytes(2000))),
    Trick(7, "600 clients that read nothing", _holding(600, b"GET /openapi.json HTTP/1.1\r\n" + HOST + b"\r\n")),
    Trick(
        7,
        "400 clients that send chunks of one byte",
        _holding(400, POST + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
    ),
    Trick(7, "30 heads of 60,000 bytes", _holding(30, b"GET /livez HTTP/1.1\r\n" + HOST + b"X: " + b"y" * 60_000)),
    Trick(7, "50 x 1,000 requests at once", _holding(50, (b"GET /livez HTTP/1.1\r\n" + HOST + b"\r\n") * 1000)),
]
