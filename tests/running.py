"""Servers that run in threads of the test process."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Thread

import httpx2
from fastapi import FastAPI

from app.api import Services
from app.application import build_app
from app.server import Server, listen
from app.settings import Settings
from tests.waiting import wait_until


@dataclass(frozen=True)
class Live:
    """A server that listens on loopback, and the application that it runs."""

    url: str
    app: FastAPI
    server: Server

    @property
    def services(self) -> Services:
        services: Services = self.app.state.services
        return services


@contextmanager
def running(settings: Settings, port: int = 0) -> Iterator[Live]:
    """Yields a server that is ready for pictures, and stops it afterwards. Port 0: the system chooses a free port."""
    app = build_app(settings)
    server = Server(app, settings)
    with listen("127.0.0.1", port) as listener:
        thread = Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            host, port = listener.getsockname()
            url = f"http://{host}:{port}"
            wait_until(lambda: server.started and httpx2.get(f"{url}/readyz").status_code == 200)
            yield Live(url, app, server)
        finally:
            server.should_exit = True
            thread.join()
