"""A reverse proxy that serves another server under a path prefix, and strips the prefix or keeps it."""

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import httpx2

HOP_BY_HOP = {"connection", "date", "keep-alive", "server", "transfer-encoding"}


@contextmanager
def forwarded(upstream: str, prefix: str, *, strips: bool) -> Iterator[str]:
    """Yields the proxy's address. The proxy answers requests outside of the prefix with 404."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path != prefix and not self.path.startswith(f"{prefix}/"):
                self.send_error(404)
                return
            path = (self.path.removeprefix(prefix) or "/") if strips else self.path
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            headers = {key: value for key, value in self.headers.items() if key.lower() not in HOP_BY_HOP}
            request = client.build_request(self.command, upstream + path, headers=headers, content=body)
            answer = client.send(request, stream=True)
            content = b"".join(answer.iter_raw())
            self.send_response(answer.status_code)
            for key, value in answer.headers.items():
                if key not in HOP_BY_HOP | {"content-length"}:
                    self.send_header(key, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_POST = do_GET

        def log_message(self, *_: object) -> None:
            """Silences the access log."""

    with httpx2.Client(timeout=60) as client, ThreadingHTTPServer(("127.0.0.1", 0), Handler) as proxy:
        thread = Thread(target=proxy.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{proxy.server_port}"
        finally:
            proxy.shutdown()
            thread.join()
