"""An S3 server on loopback: moto's, which counts the requests, and holds some of them back."""

import logging
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from threading import Thread
from typing import Any

from app.remote import RemoteFolder

KEY, SECRET = "AKIATESSERATEST", "wJalrXUtnFEMI/K7MDENG/tessera"


class S3Server:
    """A server that keeps its buckets when it is stopped and started again.

    requests: method and path of each request
    ranges: the first byte and the last one of each range that was read
    held: requests for paths with this part are not answered before `release`; empty: none
    """

    def __init__(self) -> None:
        from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

        logging.getLogger("werkzeug").setLevel(logging.WARNING)  # it writes a line for each request
        self._moto = DomainDispatcherApplication(create_backend_app)
        self._port = 0
        self.requests: list[tuple[str, str]] = []
        self.ranges: list[tuple[int, int]] = []
        self.held = ""
        self.start()

    @cached_property
    def store(self) -> Any:
        """The buckets, once the environment names the server."""
        from fsspec import filesystem

        return filesystem("s3", skip_instance_cache=True, use_listings_cache=False)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        from werkzeug.serving import make_server

        self._server = make_server("127.0.0.1", self._port, self._answer, threaded=True)
        self._port = self._server.server_port
        self._thread = Thread(target=self._server.serve_forever)
        self._thread.start()

    def stop(self) -> None:
        """Refuses connections from now on."""
        self.release()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def release(self) -> None:
        self.held = ""

    def fetched(self, file: str) -> int:
        """How often parts of files of this name were read."""
        return sum(method == "GET" and path.endswith(f"/{file}") for method, path in self.requests)

    def _answer(self, environ: dict[str, Any], start_response: Any) -> Any:
        path = environ["PATH_INFO"]
        self.requests.append((environ["REQUEST_METHOD"], path))
        if found := re.fullmatch(r"bytes=(\d+)-(\d+)", environ.get("HTTP_RANGE", "")):
            self.ranges.append((int(found[1]), int(found[2])))
        while self.held and self.held in path:
            time.sleep(0.01)
        return self._moto(environ, start_response)


class Bucket:
    """A bucket with the model repository `url`, as tests fill and damage it."""

    def __init__(self, server: S3Server, name: str) -> None:
        self.server, self.url, self._root = server, f"s3://{name}/models", f"{name}/models"
        self._store = server.store
        self._store.mkdir(name)

    def put(self, version: Path, path: str = "") -> None:
        """Copies an artifact to `NAME/VERSION` of the repository, by default that of its own directory."""
        place = path or f"{version.parent.name}/{version.name}"
        for file in ("weights.safetensors", "golden.safetensors", "manifest.json"):
            self.write(f"{place}/{file}", (version / file).read_bytes())

    def write(self, path: str, content: bytes) -> None:
        self._store.pipe_file(f"{self._root}/{path}", content)

    def read(self, path: str) -> bytes:
        content: bytes = self._store.cat_file(f"{self._root}/{path}")
        return content

    def remove(self, path: str) -> None:
        self._store.rm(f"{self._root}/{path}", recursive=True)

    def files(self) -> list[str]:
        return sorted(name.removeprefix(f"{self._root}/") for name in self._store.find(self._root))

    def folder(self) -> RemoteFolder:
        return RemoteFolder(self.url)


@contextmanager
def s3_server() -> Iterator[S3Server]:
    """Yields a server; stops it afterwards."""
    server = S3Server()
    try:
        yield server
    finally:
        server.stop()
