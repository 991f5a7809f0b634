import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from app.application import build_app
from app.settings import Settings


def test_a_model_and_its_version_are_described_alike(client: TestClient) -> None:
    body = client.get("/v2/models/padim").json()
    assert (body["name"], body["versions"], body["platform"]) == ("padim", ["1"], "tessera_padim")
    assert client.get("/v2/models/padim/versions/1").json() == body


def test_health_has_the_protocols_form(client: TestClient) -> None:
    assert client.get("/v2/health/live").json() == {"live": True}
    assert client.get("/v2/health/ready").json() == {"ready": True}
    assert client.get("/v2/models/padim/ready").json() == {"name": "padim", "ready": True}


@pytest.mark.parametrize("body", ['{"ready": 0}', '{"ready": "yes"}', "[]", "{"])
def test_an_invalid_request_for_the_index_is_refused(client: TestClient, body: str) -> None:
    answer = client.post("/v2/repository/index", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422 and list(answer.json()) == ["error"]


def test_a_request_for_the_index_that_is_not_utf_8_is_malformed(client: TestClient) -> None:
    answer = client.post("/v2/repository/index", content=b"\xff", headers={"Content-Type": "application/json"})
    assert answer.status_code == 400 and list(answer.json()) == ["error"]


def test_a_refused_version_is_listed_with_its_reason_and_not_ready(
    models_dir: Path, tmp_path: Path, until_ready: Callable[[TestClient], None]
) -> None:
    shutil.copytree(models_dir, tmp_path, dirs_exist_ok=True)
    (tmp_path / "patchcore/2/weights.safetensors").unlink()
    with TestClient(build_app(Settings(models_dir=tmp_path, device="cpu", default_model="patchcore"))) as client:
        until_ready(client)
        index = client.post("/v2/repository/index").json()
        assert [entry["state"] for entry in index] == ["READY", "READY", "UNAVAILABLE"]
        assert "weights.safetensors" in index[2]["reason"]
        ready = client.post("/v2/repository/index", json={"ready": True}).json()
        assert [(entry["name"], entry["version"]) for entry in ready] == [("padim", "1"), ("patchcore", "1")]
        assert client.get("/v2/models/patchcore/versions/2/ready").status_code == 404
        assert client.get("/v2/models/default").json()["name"] == "patchcore"
        assert client.get("/v2/models/patchcore").json()["versions"] == ["1"]


def test_nothing_is_ready_without_a_model(tmp_path: Path) -> None:
    with TestClient(build_app(Settings(models_dir=tmp_path, device="cpu"))) as client:
        assert client.get("/v2/health/live").status_code == 200
        answer = client.get("/v2/health/ready")
        assert answer.status_code == 503 and list(answer.json()) == ["error"]
