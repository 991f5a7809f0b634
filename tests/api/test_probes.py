import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient
from starlette.types import Message

from app.application import build_app
from app.settings import Settings
from tests.waiting import wait_until


def test_a_server_with_models_is_alive_and_ready(client: TestClient) -> None:
    assert client.get("/livez").json() == {"alive": True}
    assert client.get("/readyz").json() == {"ready": True, "reasons": []}


def test_a_probe_is_answered_without_another_turn_of_the_event_loop(client: TestClient) -> None:
    """A turn may take long while thousands of connections are open."""
    sent: list[Message] = []

    async def receive() -> Message:
        raise AssertionError("a probe has no body")

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": "/livez", "query_string": b"", "headers": [(b"host", b"x")]}

    async def first_turn() -> None:
        task = asyncio.ensure_future(client.app(scope, receive, send))
        await asyncio.sleep(0)
        assert task.done() and sent[0]["status"] == 200

    asyncio.run(first_turn())


def test_not_ready_without_a_model(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    app = build_app(Settings(models_dir=tmp_path, device="cpu"))
    with TestClient(app) as client:
        wait_until(lambda: app.state.services.catalogue.started)
        answer = client.get("/readyz")
        assert answer.status_code == 503
        assert answer.json()["ready"] is False
        (reason,) = answer.json()["reasons"]
        assert "there is no model in models_dir; train one" in reason
        assert caplog.text.count("there is no model in models_dir") == 1
        answer = client.post("/v1/models/default/predict", files={"image": b"x"})
        assert answer.status_code == 404 and "there is no model in models_dir; train one" in answer.json()["detail"]
        assert client.get("/livez").status_code == 200


def test_not_ready_before_the_start_and_while_draining(
    models_dir: Path, normal_png: bytes, until_ready: Callable[[TestClient], None]
) -> None:
    app = build_app(Settings(models_dir=models_dir, device="cpu"))
    client = TestClient(app)
    reasons = client.get("/readyz").json()["reasons"]
    assert "being loaded" in reasons[0] and len(reasons) == 2
    answer = client.post("/v1/models/patchcore/predict", files={"image": normal_png})
    assert (answer.status_code, answer.json()["code"]) == (503, "model_loading")
    assert int(answer.headers["Retry-After"]) >= 1
    with client:
        until_ready(client)
        app.state.services.worker.drain()
        assert "shutting down" in client.get("/readyz").json()["reasons"][0]
        answer = client.post("/v1/models/patchcore/predict", files={"image": normal_png})
        assert (answer.status_code, answer.json()["code"]) == (503, "engine_stopped")


def test_metrics_count_requests_tiles_and_stages(client: TestClient, normal_png: bytes) -> None:
    before = samples(client)
    client.post("/v1/models/patchcore/predict", files={"image": normal_png})
    client.post("/v1/models/patchcore/predict", files={"image": b"no picture"})
    after = samples(client)

    def increase(name: str, **labels: str) -> float:
        key = (name, tuple(sorted(labels.items())))
        return after[key] - before.get(key, 0)

    route = "/v1/models/{model}/predict"
    assert increase("tessera_requests_total", method="POST", route=route, status="200") == 1
    assert increase("tessera_requests_total", method="POST", route=route, status="415") == 1
    assert increase("tessera_request_seconds_count", route=route) == 2
    assert increase("tessera_tiles_total") == 8
    assert increase("tessera_batch_tiles_sum") == 8
    assert increase("tessera_tiles_room_total") >= 8
    assert increase("tessera_device_pictures_total", end="done") == 1
    assert increase("tessera_device_busy_seconds_total", device="cpu", work="batches") > 0
    assert increase("tessera_device_busy_seconds_total", device="cpu", work="steps") > 0
    assert after["tessera_pictures_in_flight", ()] == 0
    for stage in ("decode", "queue", "device", "render"):
        assert increase("tessera_stage_seconds_count", model="patchcore", stage=stage) == 1
    assert after["tessera_queue_tiles", ()] == 0
    assert after["tessera_models", (("state", "ready"),)] == 3
    assert after["tessera_device_healthy", (("device", "cpu"),)] == 1


def test_stages_of_models_are_timed_only_with_the_setting_stage_times(
    models_dir: Path, normal_png: bytes, until_ready: Callable[[TestClient], None], client: TestClient
) -> None:
    name = "tessera_model_stage_seconds_total"
    assert not any(key == name for key, _ in samples(client))
    with TestClient(build_app(Settings(models_dir=models_dir, device="cpu", stage_times=True))) as timed:
        until_ready(timed)

        def seconds() -> dict[str, float]:
            found = {key: value for key, value in samples(timed).items() if key[0] == name}
            labels = {key: dict(key[1]) for key in found}
            return {
                labels[key]["stage"]: value
                for key, value in found.items()
                if (labels[key]["model"], labels[key]["version"], labels[key]["clock"]) == ("patchcore", "2", "host")
            }

        before = seconds()
        assert timed.post("/v1/models/patchcore/predict", files={"image": normal_png}).status_code == 200
        after = seconds()
        assert set(after) == {"upload", "cut", "network", "stitch", "measure", "map", "download"}
        assert all(after[stage] > before[stage] for stage in after)


def test_paths_that_do_not_exist_share_one_label(client: TestClient) -> None:
    for number in range(3):
        client.get(f"/nothing/{number}")
    assert not any("nothing" in str(key) for key in samples(client))


def samples(client: TestClient) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    text = client.get("/metrics").text
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
