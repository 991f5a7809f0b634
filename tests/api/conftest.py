from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from app.application import build_app
from app.settings import Settings
from tests.running import Live, running
from tests.waiting import wait_until


@pytest.fixture(scope="session")
def client(models_dir: Path) -> Iterator[TestClient]:
    """A client of an application that serves `models_dir` and is ready."""
    with TestClient(build_app(Settings(models_dir=models_dir, device="cpu"))) as client:
        wait_until(lambda: client.get("/readyz").status_code == 200)
        yield client


@pytest.fixture(scope="session")
def until_ready() -> Callable[[TestClient], None]:
    """A function that waits until an application has loaded its models."""
    return lambda client: wait_until(lambda: client.get("/readyz").status_code == 200)


@pytest.fixture
def live(models_dir: Path) -> Iterator[Callable[..., Live]]:
    """A function that starts a server of `models_dir` with the given settings. The servers stop after the test."""
    with ExitStack() as stack:

        def start(**settings: object) -> Live:
            values = {"models_dir": models_dir, "device": "cpu"} | settings
            return stack.enter_context(running(Settings.model_validate(values)))

        yield start


@pytest.fixture(scope="module")
def live_module(models_dir: Path) -> Iterator[Callable[..., Live]]:
    """Like `live`, but the servers stop after the module's last test."""
    with ExitStack() as stack:
        yield lambda **settings: stack.enter_context(
            running(Settings.model_validate({"models_dir": models_dir, "device": "cpu"} | settings))
        )
