"""A server whose models do not fit into memory."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from app.application import build_app
from app.settings import Settings
from tests.waiting import wait_until


@pytest.fixture
def client(models_dir: Path) -> Iterator[TestClient]:
    """A server with one model in memory of three versions; `patchcore` is the default model."""
    settings = Settings(models_dir=models_dir, device="cpu", cpu_lanes=1, max_loaded_versions=1, reload_interval_s=0)
    with TestClient(build_app(settings)) as client:
        wait_until(lambda: client.get("/readyz").status_code == 200)
        yield client


def in_memory(client: TestClient) -> dict[str, bool]:
    return {
        f"{model['name']}/{version['version']}": version["in_memory"]
        for model in client.get("/v1/models").json()["models"]
        for version in model["versions"]
    }


def test_requests_load_what_they_need(client: TestClient, normal_png: bytes) -> None:
    assert in_memory(client) == {"padim/1": False, "patchcore/1": False, "patchcore/2": True}
    for name, version in (("padim", 1), ("patchcore", 2), ("padim", 1)):
        response = client.post(f"/v1/models/{name}/predict", files={"image": normal_png})
        assert response.status_code == 200, response.text
        found = response.json()["model"]
        assert (found["name"], found["version"]) == (name, version)
        assert [key for key, state in in_memory(client).items() if state] == [f"{name}/{version}"]
    named = client.post("/v1/models/patchcore/heatmap", params={"version": 1}, files={"image": normal_png})
    assert named.status_code == 200
    assert in_memory(client)["patchcore/1"]
    metrics = client.get("/metrics").text
    assert "tessera_model_unloads_total 4.0" in metrics
    assert 'tessera_models{state="ready"} 3.0' in metrics


def test_a_request_without_the_time_for_a_load_gets_503_and_the_next_one_an_answer(
    client: TestClient, normal_png: bytes
) -> None:
    hurried = client.post(
        "/v1/models/padim/predict", files={"image": normal_png}, headers={"X-Request-Timeout": "0.001"}
    )
    assert hurried.status_code == 503
    assert hurried.json()["code"] == "model_loading"
    assert "Retry-After" in hurried.headers
    assert client.post("/v1/models/padim/predict", files={"image": normal_png}).status_code == 200


def test_the_inference_protocol_knows_models_that_are_not_in_memory(client: TestClient) -> None:
    assert client.get("/v2/models/padim/ready").status_code == 200
    described = client.get("/v2/models/padim").json()
    assert described["platform"] == "tessera_padim"
    assert described["versions"] == ["1"]
    index = client.post("/v2/repository/index", json={"ready": True}).json()
    assert {(entry["name"], entry["version"], entry["state"]) for entry in index} == {
        ("padim", "1", "READY"),
        ("patchcore", "1", "READY"),
        ("patchcore", "2", "READY"),
    }
    assert not in_memory(client)["padim/1"]
