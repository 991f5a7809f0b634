"""Injected faults of devices over HTTP: what requests get, and what the probes say."""

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
import torch
from starlette.testclient import TestClient
from torch import Tensor

from app.application import build_app
from app.detectors import Features
from app.pipeline import TiledModel
from app.settings import Settings
from tests.api.test_probes import samples
from tests.conftest import Picture
from tests.waiting import wait_until

URL = "/v1/models/padim/predict"


@pytest.fixture
def client(models_dir: Path, tmp_path: Path) -> Any:
    (tmp_path / "padim").symlink_to(models_dir / "padim")
    settings = Settings(models_dir=tmp_path, device="cpu", cpu_lanes=1, stuck_after_s=60)
    with TestClient(build_app(settings)) as client:
        wait_until(lambda: client.get("/readyz").status_code == 200)
        yield client


def inject(client: TestClient, fault: Callable[[Tensor], None]) -> TiledModel:
    """Calls `fault` with the tiles of each batch; a fault may change the tiles, or raise."""
    model: TiledModel = client.app.state.services.catalogue.get("padim").model  # type: ignore[attr-defined]
    run = model.run

    def faulty(tiles: Tensor) -> Features:
        features = tuple(feature.clone() for feature in run(tiles))
        fault(features[0])
        return features

    model.run = faulty  # type: ignore[method-assign]  # stands for a faulty device
    return model


def test_a_picture_whose_numbers_are_not_finite_fails_alone(
    client: TestClient, normal_png: bytes, normal_picture: Picture
) -> None:
    left = [1]

    def once(features: Tensor) -> None:
        if left.pop() if left else 0:
            features[-1, 0, 0, 0] = torch.nan

    inject(client, once)
    files = [("images", (f"{number}.png", normal_png)) for number in range(3)]
    items = client.post(f"{URL}-batch", files=files).json()["items"]
    codes = [item["problem"]["code"] for item in items if "problem" in item]
    assert codes == ["not_finite"]
    assert sum("prediction" in item for item in items) == 2
    assert samples(client)["tessera_not_finite_pictures_total", (("device", "cpu"),)] == 1
    assert client.get("/readyz").status_code == 200  # the golden sample was reproduced

    left.append(1)
    tensor = {"name": "image", "shape": [1, *normal_picture.shape], "datatype": "UINT8"}
    body = {"inputs": [tensor | {"data": np.ravel(normal_picture).tolist()}]}
    answer = client.post("/v2/models/padim/infer", json=body)
    assert answer.status_code == 503 and "NaN" in answer.json()["error"]


def test_a_device_that_always_raises_is_named_and_works_again(client: TestClient, normal_png: bytes) -> None:
    model = client.app.state.services.catalogue.get("padim").model  # type: ignore[attr-defined]

    def fault(_: Tensor) -> None:
        raise RuntimeError("cuDNN error")

    run = model.run
    inject(client, fault)
    codes = [client.post(URL, files={"image": normal_png}).json()["code"] for _ in range(3)]
    assert set(codes) <= {"internal_error", "device_failed"}
    wait_until(lambda: client.get("/readyz").status_code == 503)
    assert client.post(URL, files={"image": normal_png}).json()["code"] == "device_failed"
    assert "cuDNN error" in client.get("/readyz").json()["reasons"][0]
    assert client.get("/livez").status_code == 200
    model.run = run
    wait_until(lambda: client.get("/readyz").status_code == 200)
    assert client.post(URL, files={"image": normal_png}).status_code == 200


def test_a_dead_thread_turns_liveness_red(client: TestClient, normal_png: bytes) -> None:
    def fault(_: Tensor) -> None:
        raise SystemExit("the end")

    inject(client, fault)
    answer = client.post(URL, files={"image": normal_png})
    assert (answer.status_code, answer.json()["code"]) == (503, "device_failed")
    for path in ("/livez", "/readyz"):
        assert client.get(path).status_code == 503
        assert "SystemExit" in client.get(path).json()["reasons"][0]
    assert client.get("/v2/health/live").status_code == 503


def test_an_upload_that_finds_no_shared_memory_is_refused_alone(client: TestClient, normal_png: bytes) -> None:
    error = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    with patch("app.decoders.shared_memory.os.memfd_create", side_effect=error):
        answer = client.post(URL, files={"image": normal_png})
    assert (answer.status_code, answer.json()["code"]) == (503, "insufficient_memory")
    assert client.get("/readyz").status_code == 200
    assert client.post(URL, files={"image": normal_png}).status_code == 200
