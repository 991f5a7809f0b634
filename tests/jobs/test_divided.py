"""A server with engines answers requests and jobs as one without."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from starlette.testclient import TestClient

from app.application import build_app
from app.service.fan_out import Engines
from app.settings import Settings
from tests.jobs.conftest import Client, drawn, pixels
from tests.service.test_fan_out import Elsewhere, Process, processes
from tests.waiting import wait_until

Found = tuple[dict[str, Any], NDArray[np.int64]]
"""A prediction and its map of 16 bits."""
PICTURE = drawn(500, 400)


def answered(client: Client) -> Found:
    url, files = "/v1/models/patchcore", {"image": PICTURE}
    predicted = client.http.post(f"{url}/predict?min_region_area=4", files=files)
    drawn_map = client.http.post(f"{url}/anomaly-map?format=png16", files=files)
    assert (predicted.status_code, drawn_map.status_code) == (200, 200), (predicted.text, drawn_map.text)
    return predicted.json(), pixels(drawn_map.content).astype(np.int64)


def done(client: Client) -> Found:
    id = client.upload(PICTURE, min_region_area=4)
    assert client.ended(id)["state"] == "done"
    picture = f"{id}/pictures/0"
    return client.get(f"{picture}/result").json(), pixels(client.get(f"{picture}/files/map").content).astype(np.int64)


def assert_equal(one: Found, other: Found) -> None:
    assert other[0]["score"] == pytest.approx(one[0]["score"], abs=1e-5)
    boxes = [sorted(tuple(region["box"].values()) for region in found["regions"]) for found, _ in (one, other)]
    assert boxes[0] == boxes[1] and len(boxes[0]) >= 2
    assert np.abs(one[1] - other[1]).max() <= 3


def tiles(others: Sequence[Process]) -> list[int]:
    return [each.tiles for each in others]


@contextmanager
def serving(models: Path, folder: Path, engines: Sequence[Elsewhere] = ()) -> Iterator[Client]:
    """A server in the precision of the engines, whose scores and maps would differ in others."""
    values = {"models_dir": models, "device": "cpu", "jobs_dir": folder, "jobs_free_bytes": 0}
    settings = Settings.model_validate(values | {"precision": "float32"})
    with TestClient(build_app(settings, engines=Engines(engines, least_tiles=20))) as http:
        wait_until(lambda: http.get("/readyz").status_code == 200 and all(each.state.room for each in engines))
        yield Client(http, {})


def test_answers_and_jobs_equal_those_of_a_server_without_engines(models_dir: Path, tmp_path: Path) -> None:
    with serving(models_dir, tmp_path / "alone") as client:
        expected = answered(client), done(client)
    with processes(models_dir, models_dir) as others:
        engines = [Elsewhere(each) for each in others]
        with serving(models_dir, tmp_path / "divided", engines) as client:
            assert_equal(expected[0], answered(client))
            assert all(before := tiles(others))
            assert_equal(expected[1], done(client))
            assert all(now > was for now, was in zip(tiles(others), before, strict=True))
            before = tiles(others)
            small = client.http.post("/v1/models/patchcore/predict", files={"image": drawn(100, 200)})
            assert small.status_code == 200 and tiles(others) == before  # the server computes it itself
