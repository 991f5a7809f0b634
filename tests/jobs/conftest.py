"""Servers that take jobs, and pictures for them."""

import io
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from httpx2 import Response
from PIL import Image
from starlette.testclient import TestClient

from app.application import build_app
from app.settings import Settings
from tests.conftest import draw_surface
from tests.waiting import WAIT_S, wait_until

ENDED = {"done", "failed", "cancelled", "expired"}


def drawn(height: int = 260, width: int = 200) -> bytes:
    """A TIFF of a surface with two stains: one at its top, one that ends above its last rows."""
    picture = draw_surface(1000, height, width)
    picture[20:36, 100:124] = (255, 0, 0)
    picture[height - 90 : height - 70, 40:60] = (255, 0, 0)
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "TIFF")
    return file.getvalue()


@dataclass
class Client:
    """A client of a server that takes jobs."""

    http: TestClient
    headers: dict[str, str]

    def make(self, *pictures: dict[str, object], **options: object) -> Response:
        body = {"model": "patchcore", "pictures": list(pictures)} | options
        return self.http.post("/v1/jobs", json=body, headers=self.headers)

    def get(self, path: str, **headers: str) -> Response:
        return self.http.get(f"/v1/jobs/{path}", headers=self.headers | headers)

    def delete(self, id: str) -> Response:
        return self.http.delete(f"/v1/jobs/{id}", headers=self.headers)

    def send(self, id: str, data: bytes, offset: int, number: int = 0, **headers: str) -> Response:
        own = {"Content-Type": "application/offset+octet-stream", "Upload-Offset": str(offset)}
        url = f"/v1/jobs/{id}/pictures/{number}"
        return self.http.patch(url, content=data, headers=self.headers | own | headers)

    def upload(self, data: bytes, **options: object) -> str:
        """Makes a job of one picture, and uploads it; returns the job's id."""
        made = self.make({"name": "surface.tif", "length": len(data)}, **options)
        assert made.status_code == 201, made.text
        id = str(made.json()["id"])
        assert self.send(id, data, 0).status_code == 204
        return id

    def ended(self, id: str) -> dict[str, Any]:
        """The job once it has ended."""
        deadline = time.monotonic() + WAIT_S
        while (found := self.get(id).json())["state"] not in ENDED:
            assert time.monotonic() < deadline, found
            time.sleep(0.02)
        return dict(found)


@pytest.fixture(scope="session")
def picture() -> bytes:
    return drawn()


@pytest.fixture(autouse=True)
def small_bands(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each row of tiles is a band, so that small pictures have several."""
    monkeypatch.setattr("app.pipeline.scan.BAND_TILES", 1)


@pytest.fixture
def serving(models_dir: Path, tmp_path: Path) -> Iterator[Callable[..., Client]]:
    """A function that starts a server whose jobs lie in `tmp_path / "jobs"`; all stop after the test."""
    with ExitStack() as stack:

        def start(**settings: object) -> Client:
            values = {"models_dir": models_dir, "device": "cpu", "jobs_dir": tmp_path / "jobs", "jobs_free_bytes": 0}
            http = stack.enter_context(TestClient(build_app(Settings.model_validate(values | settings))))
            wait_until(lambda: http.get("/readyz").status_code == 200)
            return Client(http, {})

        yield start


@pytest.fixture(scope="module")
def jobs(models_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A client of a server that takes jobs, with the opened folder `opened`."""
    root = tmp_path_factory.mktemp("jobs")
    (root / "opened" / "lot").mkdir(parents=True)
    (root / "opened" / "lot" / "a.tif").write_bytes(drawn())
    (root / "outside.tif").write_bytes(drawn())
    (root / "opened" / "link.tif").symlink_to(root / "outside.tif")
    (root / "opened" / "out").symlink_to(root)
    settings = Settings(
        models_dir=models_dir,
        device="cpu",
        jobs_dir=root / "jobs",
        jobs_folder=root / "opened",
        jobs_free_bytes=0,
        jobs_per_key=1000,
    )
    with TestClient(build_app(settings)) as http:
        wait_until(lambda: http.get("/readyz").status_code == 200)
        yield Client(http, {})


def pixels(data: bytes) -> "np.typing.NDArray[np.generic]":
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image)
