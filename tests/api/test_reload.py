"""Models are added, replaced and removed while a server runs."""

import shutil
import time
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Any

import httpx2
import pytest

from tests.interposing import BeforeNetwork, Turnstile
from tests.repositories import add_version, flip_a_bit
from tests.waiting import WAIT_S, wait_until

PREDICT = "/v1/models/steel/predict"
REQUESTS, CLIENTS = 300, 8


@pytest.fixture
def root(models_dir: Path, tmp_path: Path) -> Path:
    """A repository with version 1 of `steel`."""
    shutil.copytree(models_dir / "padim/1", tmp_path / "source")
    add_version(tmp_path / "source", tmp_path, "steel", 1)
    return tmp_path


@pytest.fixture
def start(live: Callable[..., Any], root: Path) -> Callable[[float], Any]:
    return lambda interval_s: live(models_dir=root, batch_tiles=8, reload_interval_s=interval_s)


def reload(url: str, name: str = "steel") -> dict[str, Any]:
    answer = httpx2.post(f"{url}/v1/models/{name}/reload", timeout=WAIT_S)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def predicted(url: str, picture: bytes, query: str = "") -> tuple[int, Any]:
    answer = httpx2.post(f"{url}{PREDICT}{query}", files={"image": picture}, timeout=WAIT_S)
    return answer.status_code, answer.json()


def test_a_new_version_is_served_after_a_reload(start: Callable[[float], Any], root: Path, normal_png: bytes) -> None:
    url = start(0).url
    before = httpx2.get(f"{url}/v1/models/steel").headers["ETag"]
    add_version(root / "source", root, "steel", 2)
    assert predicted(url, normal_png)[1]["model"]["version"] == 1
    changed = reload(url)
    assert changed == {
        **{"name": "steel", "newest": 2, "ready": [1, 2], "added": [2]},
        **{"replaced": [], "removed": [], "failed": [], "replicas": []},
    }
    assert predicted(url, normal_png)[1]["model"]["version"] == 2
    answer = httpx2.get(f"{url}/v1/models/steel", headers={"If-None-Match": before})
    assert answer.status_code == 200 and answer.json()["newest"] == 2
    assert 'tessera_model_version{model="steel"} 2.0' in httpx2.get(f"{url}/metrics").text


def test_a_damaged_version_is_reported_and_the_previous_one_is_served(
    start: Callable[[float], Any], root: Path, normal_png: bytes
) -> None:
    url = start(0).url
    before = httpx2.get(f"{url}/v1/models/steel").headers["ETag"]
    add_version(root / "source", root, "steel", 2, damaged=True)
    changed = reload(url)
    assert (changed["ready"], changed["added"]) == ([1], [])
    assert [(failed["version"], failed["error"]["code"]) for failed in changed["failed"]] == [(2, "digest_mismatch")]
    answer = httpx2.get(f"{url}/v1/models/steel", headers={"If-None-Match": before})
    assert answer.json()["newest"] == 1 and answer.json()["versions"][1]["state"] == "failed"
    assert predicted(url, normal_png)[1]["model"]["version"] == 1
    assert httpx2.get(f"{url}/readyz").status_code == 200
    metrics = httpx2.get(f"{url}/metrics").text
    assert 'tessera_model_loads_total{result="digest_mismatch"} 1.0' in metrics
    assert 'tessera_models{state="failed"} 1.0' in metrics
    flip_a_bit(root / "steel/2")  # restores the weights
    assert reload(url)["added"] == [2]


def test_all_models_are_reloaded_at_once(start: Callable[[float], Any], root: Path) -> None:
    url = start(0).url
    add_version(root / "source", root, "wood", 1)
    shutil.rmtree(root / "steel")
    changed = httpx2.post(f"{url}/v1/reload", timeout=WAIT_S).json()["models"]
    changes = [(model["name"], model["ready"], model["added"], model["removed"]) for model in changed]
    assert changes == [("steel", [], [], [1]), ("wood", [1], [1], [])]
    assert httpx2.get(f"{url}/v1/models/default").json()["name"] == "wood"
    assert httpx2.get(f"{url}/v1/models/steel").status_code == 404


def test_reloads_of_an_unknown_model_or_an_unreadable_repository_are_refused(
    start: Callable[[float], Any], root: Path, normal_png: bytes
) -> None:
    url = start(0).url
    answer = httpx2.post(f"{url}/v1/models/screw/reload", timeout=WAIT_S)
    assert (answer.status_code, answer.json()["code"]) == (404, "model_not_found")
    away = root.rename(root.with_name(root.name + "-away"))
    answer = httpx2.post(f"{url}/v1/reload", timeout=WAIT_S)
    assert (answer.status_code, answer.json()["code"]) == (503, "unreadable_repository")
    assert predicted(url, normal_png)[0] == 200
    away.rename(root)
    assert reload(url)["ready"] == [1]


def test_a_removed_version_drains_and_is_freed(start: Callable[[float], Any], root: Path, normal_png: bytes) -> None:
    add_version(root / "source", root, "steel", 2)
    server = start(0)
    artifact = server.services.catalogue.get("steel")
    detector, reached, go = weakref.ref(artifact.model.detector), Event(), Event()

    def hold() -> None:
        reached.set()
        assert go.wait(WAIT_S)

    hook = BeforeNetwork(artifact.model, hold)
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(predicted, server.url, normal_png)
        assert reached.wait(WAIT_S)
        shutil.rmtree(root / "steel/2")
        assert reload(server.url)["removed"] == [2]
        assert predicted(server.url, normal_png, "?version=2")[1]["code"] == "version_not_found"
        assert httpx2.get(f"{server.url}/v1/models/steel").json()["newest"] == 1
        go.set()
        status, body = running.result(WAIT_S)
    assert (status, body["model"]["version"]) == (200, 2)
    assert predicted(server.url, normal_png)[1]["model"]["version"] == 1
    hook.remove()  # the hook and the model refer to each other
    del artifact, hook
    wait_until(lambda: detector() is None)


def test_a_batch_keeps_a_version_that_is_removed_while_it_runs(
    start: Callable[[float], Any], root: Path, normal_png: bytes
) -> None:
    add_version(root / "source", root, "steel", 2)
    server = start(0)
    turnstile = Turnstile(server.services.catalogue.get("steel").model)
    files = [("images", (f"{number}.png", normal_png)) for number in range(8)]
    url = f"{server.url}/v1/models/steel/predict-batch?version=2"
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(httpx2.post, url, files=files, timeout=WAIT_S)
        wait_until(lambda: server.services.worker.tiles > 0)
        shutil.rmtree(root / "steel/2")
        assert reload(server.url)["removed"] == [2]
        turnstile.open()
        items = running.result(WAIT_S).json()["items"]
    assert [item["prediction"]["model"]["version"] for item in items] == [2] * 8


@dataclass
class Load:
    """Clients that send requests without a pause, and the results of these requests."""

    url: str
    picture: bytes
    answers: list[tuple[float, float, int]] = field(default_factory=list)  # begin and end in seconds, version
    failures: list[object] = field(default_factory=list)  # bodies of answers with another status than 200
    enough: Event = field(default_factory=Event)

    def ask(self) -> None:
        """Sends requests until `enough` is set."""
        with httpx2.Client(base_url=self.url, timeout=WAIT_S) as client:
            while not self.enough.is_set():
                begun = time.monotonic()
                answer = client.post(PREDICT, files={"image": self.picture})
                if answer.status_code == 200:
                    self.answers.append((begun, time.monotonic(), answer.json()["model"]["version"]))
                else:
                    self.failures.append(answer.text)

    def during(self, work: Callable[["Load"], None]) -> list[tuple[float, float, int]]:
        """Runs `work` under load until there are REQUESTS answers; returns all answers, sorted by their end."""
        with ThreadPoolExecutor(CLIENTS) as pool:
            clients = [pool.submit(self.ask) for _ in range(CLIENTS)]
            try:
                work(self)
                self.until(REQUESTS)
            finally:
                self.enough.set()
            for each in clients:
                each.result()
        assert self.failures == []
        return sorted(self.answers, key=lambda answer: answer[1])

    def until(self, count: int) -> None:
        """Waits for `count` answers, or for a failure."""
        wait_until(lambda: len(self.answers) >= count or bool(self.failures))


def test_300_requests_of_8_clients_succeed_while_5_versions_are_added_2_of_them_damaged(
    start: Callable[[float], Any], root: Path, normal_png: bytes
) -> None:
    server = start(0.05)
    damaged = (3, 5)

    def add_versions(load: Load) -> None:
        for version in range(2, 7):
            load.until(45 * (version - 1))
            add_version(root / "source", root, "steel", version, damaged=version in damaged)
            models = server.services.catalogue
            wait_until(lambda: models.count("ready") + models.count("failed") == version)  # noqa: B023  # called here
            assert httpx2.get(f"{server.url}/readyz").status_code == 200
            load.until(len(load.answers) + 2 * CLIENTS)

    answers = Load(server.url, normal_png).during(add_versions)
    assert len(answers) >= REQUESTS
    assert {version for _, _, version in answers} == {1, 2, 4, 6}
    for number, (begun, _, version) in enumerate(answers):  # never older than an earlier answer
        seen = max((other for _, ended, other in answers[:number] if ended < begun), default=1)
        assert version >= seen


def test_removing_the_newest_version_under_load_fails_no_request(
    start: Callable[[float], Any], root: Path, normal_png: bytes
) -> None:
    for version in (2, 3):
        add_version(root / "source", root, "steel", version)
    server = start(0.05)

    def remove(load: Load) -> None:
        for version in (3, 2):
            load.until(90 * (4 - version))
            (root / "steel" / str(version)).rename(root / f".removed-{version}")
            wait_until(lambda: server.services.catalogue.get("steel").version == version - 1)  # noqa: B023  # called here
            load.until(len(load.answers) + 2 * CLIENTS)

    answers = Load(server.url, normal_png).during(remove)
    assert {version for _, _, version in answers} == {1, 2, 3}
    for number, (begun, _, version) in enumerate(answers):
        seen = min((other for _, ended, other in answers[:number] if ended < begun), default=3)
        assert version <= seen
