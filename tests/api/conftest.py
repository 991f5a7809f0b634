import io
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Thread

import httpx2
import numpy as np
import pytest
from fastapi import FastAPI
from numpy.typing import NDArray
from PIL import Image
from starlette.testclient import TestClient

from app.api import Services
from app.main import Server, build_app, listen
from app.settings import Settings
from tests.waiting import wait_until


@pytest.fixture(scope="session")
def client(models_dir: Path) -> Iterator[TestClient]:
    """A client of an application that serves `models_dir` and is ready."""
    with TestClient(build_app(Settings(models_dir=models_dir, device="cpu"))) as client:
        wait_until(lambda: client.get("/readyz").status_code == 200)
        yield client


@pytest.fixture(scope="session")
def until_ready() -> Callable[[TestClient], None]:
    """Waits until an application has loaded its models."""
    return lambda client: wait_until(lambda: client.get("/readyz").status_code == 200)


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


@pytest.fixture
def live(models_dir: Path) -> Iterator[Callable[..., Live]]:
    """Starts servers of `models_dir` with the settings that are given; they end with the test."""
    with ExitStack() as stack:

        def start(**settings: object) -> Live:
            values = {"models_dir": models_dir, "device": "cpu"} | settings
            return stack.enter_context(_running(Settings.model_validate(values)))

        yield start


@pytest.fixture(scope="module")
def live_module(models_dir: Path) -> Iterator[Callable[..., Live]]:
    """As `live`, but the servers end with the module's last test."""
    with ExitStack() as stack:
        yield lambda **settings: stack.enter_context(
            _running(Settings.model_validate({"models_dir": models_dir, "device": "cpu"} | settings))
        )


@contextmanager
def _running(settings: Settings) -> Iterator[Live]:
    app = build_app(settings)
    server = Server(app, settings)
    with listen("127.0.0.1", 0) as listener:
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


@pytest.fixture(scope="session")
def defect_png(defect_picture: NDArray[np.uint8]) -> bytes:
    """The picture with a defect, as a file."""
    return _png(defect_picture)


@pytest.fixture(scope="session")
def normal_png(normal_picture: NDArray[np.uint8]) -> bytes:
    """The picture without one."""
    return _png(normal_picture)


def _png(picture: NDArray[np.uint8]) -> bytes:
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "PNG")
    return file.getvalue()
