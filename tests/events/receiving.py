"""A receiver of webhooks that verifies them as Standard Webhooks says, and can fail."""

import base64
import hmac
import json
import ssl
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock, Thread
from typing import Any

SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
Answer = tuple[int, dict[str, str]]


@dataclass
class Received:
    """The events that were accepted, by id; how often each came; and how many requests came in all."""

    url: str = ""
    bodies: dict[str, dict[str, Any]] = field(default_factory=dict)
    times: Counter[str] = field(default_factory=Counter)
    requests: int = 0
    forged: int = 0


def is_genuine(headers: Any, body: bytes, secret: str = SECRET) -> bool:
    """Verifies an event by the headers alone, independently of the sender's code."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    wanted = "v1," + base64.b64encode(hmac.new(key, signed, sha256).digest()).decode()
    fresh = abs(time.time() - int(headers["webhook-timestamp"])) < 300
    return fresh and any(hmac.compare_digest(wanted, each) for each in headers["webhook-signature"].split())


@contextmanager
def receiver(
    decide: Callable[[int], Answer] = lambda _: (204, {}), certified: Path | None = None
) -> Iterator[Received]:
    """Yields what a server on loopback receives. `decide` makes its answer to the n-th request.

    certified: the certificate of `localhost` for TLS, whose key is beside it; None: without TLS
    """
    received, lock = Received(), Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            with lock:
                received.requests += 1
                status, headers = decide(received.requests)
                if not is_genuine(self.headers, body):
                    received.forged += 1
                    status = 401
                elif status < 300:
                    received.bodies[self.headers["webhook-id"]] = json.loads(body)
                    received.times[self.headers["webhook-id"]] += 1
            if not status:
                self.close_connection = True  # without an answer
                return
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_GET = do_POST

        def log_message(self, *_: object) -> None:
            """Silences the access log."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        received.url = f"http://127.0.0.1:{server.server_port}/verdicts"
        if certified is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certified, certified.with_name("key.pem"))
            server.socket = context.wrap_socket(server.socket, server_side=True)
            received.url = f"https://localhost:{server.server_port}/verdicts"
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield received
        finally:
            server.shutdown()
            thread.join()
