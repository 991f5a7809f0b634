"""Servers that train first models, and pictures for them."""

import io
import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from httpx2 import Response
from PIL import Image
from starlette.testclient import TestClient

from app.api import Services
from app.application import build_app
from app.settings import Settings
from app.trainings import Trainings
from tests.conftest import draw_surface
from tests.waiting import WAIT_S, wait_until

ENDED = {"done", "failed", "cancelled"}
Picture = tuple[str, bytes]


def png(seed: int, height: int = 96, width: int = 160) -> bytes:
    file = io.BytesIO()
    Image.fromarray(draw_surface(seed, height, width)).save(file, "PNG")
    return file.getvalue()


def good(count: int) -> list[Picture]:
    return [(f"good-{number}.png", png(number)) for number in range(count)]


@dataclass
class Client:
    """A client of a server that trains, with the folders of its models and trainings."""

    http: TestClient
    models: Path
    folder: Path

    @property
    def trainings(self) -> Trainings:
        services: Services = self.http.app.state.services  # type: ignore[attr-defined]  # a FastAPI
        assert services.trainings is not None
        return services.trainings

    def teach(self, name: str, pictures: Sequence[Picture]) -> Response:
        return self.http.post("/v1/models", data={"name": name}, files=[("images", each) for each in pictures])

    def get(self, id: str) -> dict[str, Any]:
        return dict(self.http.get(f"/v1/trainings/{id}").raise_for_status().json())

    def ended(self, id: str) -> dict[str, Any]:
        """The training once it has ended, and its files are removed."""
        deadline = time.monotonic() + WAIT_S
        while (found := self.get(id))["state"] not in ENDED or (self.folder / id).exists():
            assert time.monotonic() < deadline, found
            time.sleep(0.02)
        return found

    def followed(self, id: str) -> list[dict[str, Any]]:
        """All events of a training, until it has ended."""
        answer = self.http.get(f"/v1/trainings/{id}/events")
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        return [json.loads(line.removeprefix("data: ")) for line in answer.text.splitlines() if "data: " in line]


Serve = Callable[..., Client]


@pytest.fixture(scope="module")
def serve(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serve]:
    """A function that starts a server whose repository is empty; all stop after the module's last test."""
    with ExitStack() as stack:

        def start(**settings: object) -> Client:
            root = tmp_path_factory.mktemp("start")
            (root / "models").mkdir()
            values = {"models_dir": root / "models", "device": "cpu", "trainings_dir": root / "trainings"}
            http = stack.enter_context(TestClient(build_app(Settings.model_validate(values | settings))))
            return Client(http, root / "models", root / "trainings")

        yield start


@pytest.fixture(scope="module")
def client(serve: Serve) -> Client:
    """A client of a server that trains."""
    return serve()


@pytest.fixture(scope="module")
def made(client: Client) -> tuple[Response, list[dict[str, Any]]]:
    """The answer to a request for the model `lid` on ten pictures, and the events of its training."""
    answer = client.teach("lid", good(10))
    events = client.followed(answer.json()["id"])
    wait_until(lambda: client.http.get("/readyz").status_code == 200)
    return answer, events
