"""A candidate runs beside the served version."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from httpx2 import Response
from starlette.testclient import TestClient

from app.admission import cost_of
from app.api import Services
from app.application import build_app
from app.artifacts import ModelRepository, Tally, load_artifact, promote, read_shadow, verify_artifact
from app.service.shadow.shadows import is_drawn
from app.settings import Settings
from tests.interposing import Turnstile
from tests.repositories import add_version
from tests.waiting import wait_until

PREDICT, SHADOW = "/v1/models/steel/predict", "/v1/models/steel/shadow"


@pytest.fixture
def root(models_dir: Path, tmp_path: Path) -> Path:
    """A repository with `steel`: version 1 serves, and version 2 calls every picture anomalous."""
    add_version(models_dir / "padim/1", tmp_path, "steel", 1)
    manifest = json.loads((add_version(models_dir / "padim/1", tmp_path, "steel", 2) / "manifest.json").read_text())
    manifest["calibration"]["image_threshold"] = manifest["calibration"]["image_min"] / 10
    (tmp_path / "steel/2/manifest.json").write_text(json.dumps(manifest))
    promote(ModelRepository(tmp_path), "steel", 1, verify_artifact)
    return tmp_path


@contextmanager
def started(root: Path, **settings: object) -> Iterator[TestClient]:
    values = {"models_dir": root, "device": "cpu", "reload_interval_s": 0} | settings
    with TestClient(build_app(Settings.model_validate(values))) as client:
        wait_until(lambda: client.get("/readyz").status_code == 200)
        yield client


@pytest.fixture
def client(root: Path) -> Iterator[TestClient]:
    with started(root) as client:
        yield client


def send(client: TestClient, picture: bytes, request_id: str = "r", query: str = "") -> dict[str, Any]:
    answer = client.post(f"{PREDICT}{query}", files={"image": picture}, headers={"X-Request-ID": request_id})
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def services(client: TestClient) -> Services:
    behind: Services = client.app.state.services  # type: ignore[attr-defined]  # any ASGI application
    return behind


@contextmanager
def held(client: TestClient, version: int) -> Iterator[None]:
    """Blocks the network of a version in the `with` block."""
    turnstile = Turnstile(services(client).catalogue.get("steel", version).model)
    try:
        yield
    finally:
        turnstile.open()


def found(client: TestClient) -> Any:
    return client.get(SHADOW).json()["shadow"]


def compared(client: TestClient, count: int) -> Any:
    """The comparison, once so many pictures were compared or dropped."""
    wait_until(lambda: found(client)["compared"] + found(client)["dropped"] >= count)
    return found(client)


def problem(answer: Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def without_times(body: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if name != "timing_ms"}


def test_differences_are_found_and_decided_and_answers_stay_the_same(
    client: TestClient, normal_png: bytes, defect_png: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    assert found(client) is None
    caplog.set_level("INFO")
    before = [send(client, each) for each in (normal_png, defect_png)]
    assert client.post(SHADOW, json={"version": 2}).json()["shadow"]["state"] == "running"
    for number, picture in enumerate((normal_png, defect_png)):
        assert without_times(send(client, picture, f"first-{number}")) == without_times(before[number])
    shadow = compared(client, 2)
    (difference,) = shadow["differences"]
    assert (shadow["candidate_only"], shadow["served_only"], shadow["p_value"]) == (1, 0, 1.0)
    assert (difference["request_id"], difference["served_label"]) == ("first-0", "normal")
    assert difference["served_score"] == before[0]["score"] < 0.5 < difference["candidate_score"]
    assert difference["candidate_score"] == send(client, normal_png, query="?version=2")["score"]
    for number in range(3, 30):
        send(client, normal_png, f"more-{number}")
        if compared(client, number)["state"] == "decided":
            break
    shadow = found(client)
    assert (shadow["decision"], shadow["candidate_only"], shadow["compared"]) == ("more_alarms", 8, 9)
    assert shadow["sequential_p_value"] <= 0.05 and shadow["p_value"] == pytest.approx(2 / 2**8)
    assert sum("it is decided that the shadow, version 2, has more alarms" in line for line in caplog.messages) == 1
    send(client, normal_png)  # nothing is compared after the decision
    metrics = client.get("/metrics").text
    assert 'tessera_shadow_pictures_total{model="steel",result="compared",version="2"} 9.0' in metrics
    assert 'tessera_shadow_differences_total{model="steel",only="candidate",version="2"} 8.0' in metrics
    assert found(client)["compared"] == 9


def test_a_comparison_without_a_difference_ends_after_the_stated_number(root: Path, normal_png: bytes) -> None:
    add_version(root / "steel/1", root, "steel", 3)
    with started(root) as client:
        assert client.post(SHADOW, json={"version": 3, "pictures": 3}).status_code == 200
        for number in range(3):
            send(client, normal_png)
            compared(client, number + 1)
        shadow = found(client)
    assert (shadow["state"], shadow["decision"], shadow["differences"]) == ("decided", "no_difference", [])
    assert shadow["difference_low"] < 0 < shadow["difference_high"]


def test_the_share_is_drawn_by_the_request_id(client: TestClient, normal_png: bytes) -> None:
    ids = [f"request-{number}" for number in range(2000)]
    drawn = [each for each in ids if is_drawn(each, 0.1)]
    assert 150 < len(drawn) < 250
    assert all(is_drawn(each, 0.2) for each in drawn) and all(is_drawn(each, 1.0) for each in ids)
    client.post(SHADOW, json={"version": 2, "share": 0.1})
    for each in (*drawn[:2], *(each for each in ids[:8] if each not in drawn)):
        send(client, normal_png, each)
    shadow = compared(client, 2)
    assert {each["request_id"] for each in shadow["differences"]} == set(drawn[:2])


def test_answers_do_not_wait_for_a_candidate_and_what_has_no_room_is_dropped(
    root: Path, normal_png: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.service.shadow.shadows.MOST_AT_ONCE", 1)
    with started(root, cpu_lanes=2) as client:
        client.post(SHADOW, json={"version": 2})
        with held(client, 2):  # the candidate holds one of the lanes
            for number in range(4):
                send(client, normal_png, f"held-{number}")
            assert compared(client, 3)["dropped"] == 3
        shadow = compared(client, 4)
        assert (shadow["compared"], shadow["dropped"]) == (1, 3)
        assert shadow["differences"][0]["request_id"] == "held-0"
        assert 'result="dropped",version="2"} 3.0' in client.get("/metrics").text


def test_requests_that_need_the_memory_drop_the_pictures_of_candidates(root: Path, normal_png: bytes) -> None:
    model, size = load_artifact(ModelRepository(root).find("steel", 1)).model, (96, 160)
    cost = cost_of(model, model.plan(*size), size, None, file_bytes=len(normal_png))
    memory = 4 * cost.memory_bytes + 64  # two such pictures fit at a time
    with started(root, cpu_lanes=2, max_work_bytes=memory) as client, ThreadPoolExecutor(2) as pool:
        client.post(SHADOW, json={"version": 2})
        with held(client, 2):
            send(client, normal_png)
            assert found(client)["dropped"] == 0
            with held(client, 1):
                answers = [pool.submit(send, client, normal_png) for _ in range(2)]
                compared(client, 1)  # while both wait for the device
            assert {each.result()["label"] for each in answers} == {"normal"}
        assert compared(client, 3)["dropped"] >= 1


def test_a_restart_changes_nothing(root: Path, normal_png: bytes) -> None:
    with started(root) as client:
        client.post(SHADOW, json={"version": 2, "share": 1.0, "pictures": 500})
        for _ in range(2):
            send(client, normal_png)
        compared(client, 2)
    with started(root) as client:
        wait_until(lambda: services(client).shadows.trial("steel") is not None)
        send(client, normal_png)
        shadow = compared(client, 3)
        assert (shadow["compared"], shadow["candidate_only"], shadow["pictures"]) == (3, 3, 500)
        assert 'result="compared",version="2"} 1.0' in client.get("/metrics").text  # of this process
        stopped = client.delete(SHADOW).json()["shadow"]
        assert (stopped["state"], stopped["compared"]) == ("stopped", 3)
        send(client, normal_png)
    with started(root) as client:
        shadow = found(client)
        assert (shadow["state"], shadow["compared"]) == ("stopped", 3)
    changes = [(each.action, each.by) for each in read_shadow(ModelRepository(root), "steel").history]
    assert changes == [("start", "tessera serve"), ("stop", "tessera serve")]


def test_what_belongs_to_a_replaced_comparison_is_dropped(client: TestClient, normal_png: bytes) -> None:
    ledger = services(client).shadows
    trials = []
    for _ in range(2):
        client.post(SHADOW, json={"version": 2})
        trial = ledger.trial("steel")
        assert trial is not None
        trials.append(trial)
        ledger.add("steel", trial, Tally(compared=1))
        client.delete(SHADOW)
    ledger.add("steel", trials[0], Tally(compared=5))
    assert found(client)["compared"] == 1
    assert [tally.compared for _, _, tally in ledger.found()] == [1]


def test_a_comparison_pauses_while_another_version_serves(client: TestClient, root: Path, normal_png: bytes) -> None:
    client.post(SHADOW, json={"version": 2})
    promote(ModelRepository(root), "steel", 2, verify_artifact)
    client.post("/v1/models/steel/reload")
    send(client, normal_png)
    send(client, normal_png, query="?version=1")
    shadow = found(client)
    assert (shadow["state"], shadow["compared"], shadow["dropped"]) == ("paused", 0, 0)
    assert shadow["reason"] == "the comparison is with version 1, and version 2 serves"


def test_mistakes_are_refused_with_their_reasons(client: TestClient, root: Path) -> None:
    assert problem(client.delete(SHADOW)) == (409, "shadow_refused")
    assert problem(client.post(SHADOW, json={"version": 7})) == (404, "version_not_found")
    same = client.post(SHADOW, json={"version": 1})
    assert problem(same) == (409, "shadow_refused") and "serves already" in same.json()["detail"]
    for method in ("GET", "POST", "DELETE"):
        body = {"json": {"version": 2}} if method == "POST" else {}
        answer = client.request(method, "/v1/models/screw/shadow", **body)  # type: ignore[arg-type]
        assert problem(answer) == (404, "model_not_found")
    for form in ({}, {"version": 2, "share": 0}, {"version": 2, "share": 1.5}, {"version": 2, "pictures": 0}):
        assert problem(client.post(SHADOW, json=form)) == (422, "invalid_request")
    assert problem(client.post(SHADOW, content=b"{" * 5000)) == (413, "too_many_bytes")
    assert problem(client.post(SHADOW, content=b"{")) == (422, "invalid_request")
    assert client.post(SHADOW, json={"version": 2}).status_code == 200
    again = client.post(SHADOW, json={"version": 2})
    assert problem(again) == (409, "shadow_refused") and "runs as a shadow already" in again.json()["detail"]
    (root / "steel/shadow.json").write_text("{")
    damaged = client.get(SHADOW)
    assert problem(damaged) == (409, "shadow_refused") and str(root) not in damaged.json()["detail"]


def test_a_repository_that_cannot_be_written_is_refused(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr("app.artifacts.shadow.write_record", refuse)
    answer = client.post(SHADOW, json={"version": 2})
    assert problem(answer) == (409, "shadow_refused") and "Read-only file system" in answer.json()["detail"]


def test_counts_that_cannot_be_written_stay_in_memory(
    client: TestClient, normal_png: bytes, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    client.post(SHADOW, json={"version": 2, "pictures": 2})

    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("app.artifacts.shadow.write_record", refuse)
        send(client, normal_png)
        assert compared(client, 1)["candidate_only"] == 1
        assert sum("No space left" in line for line in caplog.messages) == 1
    send(client, normal_png)
    assert compared(client, 2)["candidate_only"] == 2


def test_nothing_runs_without_a_shadow(client: TestClient, root: Path, normal_png: bytes) -> None:
    send(client, normal_png)
    assert services(client).shadows.trial("steel") is None and not list(services(client).shadows.found())
    assert not [path for path in (root / "steel").iterdir() if "shadow" in path.name]
