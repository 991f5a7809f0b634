"""Every limit refuses with its status, names itself, is counted, and leaves the server as it was."""

import io
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from starlette.testclient import TestClient

from app.application import build_app
from app.settings import Settings
from tests.waiting import wait_until

URL = "/v1/models/patchcore/predict"
LIMITS = {"max_pixels": 30_000, "max_work_bytes": 1_800_000, "queue_tiles": 600, "max_image_bytes": 50_000}


def picture(width: int, height: int) -> bytes:
    file = io.BytesIO()
    Image.new("L", (width, height), 128).save(file, "PNG")
    return file.getvalue()


@pytest.fixture(scope="module")
def limited(models_dir: Path) -> Iterator[TestClient]:
    values = {"models_dir": models_dir, "device": "cpu", "max_waiting_bytes": 100_000} | LIMITS
    settings = Settings.model_validate(values)
    with TestClient(build_app(settings)) as client:
        wait_until(lambda: client.get("/readyz").status_code == 200)
        yield client


def counted(client: TestClient, limit: str) -> float:
    found = re.search(rf'tessera_refusals_total{{limit="{limit}"}} ([0-9.]+)', client.get("/metrics").text)
    return float(found[1]) if found else 0.0


@pytest.mark.parametrize(
    ("limit", "data", "status", "code", "full"),
    [
        ("max_image_bytes", bytes(50_001), 413, "too_many_bytes", False),
        ("max_pixels", picture(30_001, 1), 413, "too_many_pixels", False),
        ("max_pixels", picture(10_000, 1), 413, "too_many_pixels", False),  # with its padding
        ("max_work_bytes", picture(173, 173), 413, "too_costly", False),
        ("queue_tiles", picture(100, 100), 429, "overloaded", True),
    ],
    ids=["bytes", "pixels", "padded pixels", "memory", "queue"],
)
def test_a_refusal_names_its_limit_and_is_counted(
    limited: TestClient, limit: str, data: bytes, status: int, code: str, full: bool
) -> None:
    services = limited.app.state.services  # type: ignore[attr-defined]  # starlette types it as any ASGI application
    before = counted(limited, limit)
    tickets = [services.worker.admit(1) for _ in range(600)] if full else []
    answer = limited.post(URL, files={"image": data})
    for ticket in tickets:
        with ticket:
            pass
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    assert code == "too_many_bytes" or limit in answer.json()["detail"] or limit == "max_pixels"
    assert ("Retry-After" in answer.headers) == full
    assert counted(limited, limit) == before + 1
    assert limited.post(URL, files={"image": picture(100, 100)}).status_code == 200
    used = re.findall(r'tessera_budget_used{limit="(\w+)"} ([0-9.]+)', limited.get("/metrics").text)
    assert {name: float(value) for name, value in used} == {
        "max_waiting_bytes": 0.0,
        "queue_tiles": 0.0,
        "max_work_bytes": 0.0,
    }
