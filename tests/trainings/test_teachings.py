"""A model is taught by HTTP, proved, and served by a decision."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest
from httpx2 import Response
from starlette.testclient import TestClient

from app.application import build_app
from app.artifacts import ModelRepository, live_version, read_manifest
from app.keys import ApiKey, Scope, digest_of, write_keys
from app.reviews import ReviewLabel
from app.settings import Settings
from app.trainings import TeachingState
from tests.store.kept.making import opened
from tests.teaching.kept import add, filled
from tests.waiting import WAIT_S, wait_until

NAME = "lid"
TEACH = f"/v1/models/{NAME}/teach"
SECRETS = {"lena": "tessera_lena", "otto": "tessera_otto"}


class Client:
    """A client of a server that keeps pictures and teaches, with the folders of its models and trainings."""

    def __init__(self, http: TestClient, place: Path) -> None:
        self.http, self.repository, self.folder = http, ModelRepository(place / "models"), place / "trainings/teachings"

    def ended(self, id: str) -> dict[str, Any]:
        """The teaching once it no longer runs, and its files are removed."""
        deadline = monotonic() + WAIT_S
        while (found := self.get(id))["state"] == "running" or (self.folder / id).exists():
            assert monotonic() < deadline, found
            sleep(0.02)
        return found

    def get(self, id: str) -> dict[str, Any]:
        return dict(self.http.get(f"/v1/teachings/{id}").raise_for_status().json())

    def taught(self) -> dict[str, Any]:
        answer = self.http.post(TEACH)
        assert answer.status_code == 202, answer.text
        assert answer.headers["Location"] == f"/v1/teachings/{answer.json()['id']}"
        assert answer.json()["state"] == "running" and answer.json()["proof"] is None
        found = self.ended(answer.json()["id"])
        assert found["state"] != "failed", found["error"]["message"]
        return found

    def followed(self, id: str) -> list[dict[str, Any]]:
        """The teachings of all events, until the process has ended."""
        answer = self.http.get(f"/v1/teachings/{id}/events")
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        return [json.loads(line.removeprefix("data: ")) for line in answer.text.splitlines() if "data: " in line]

    def decide(self, id: str, decision: str, **more: object) -> Response:
        return self.http.post(f"/v1/teachings/{id}/decision", json={"decision": decision, **more})

    def live(self) -> int:
        """The version that the server serves, which is the one that the repository names."""
        served = self.http.get(f"/v1/models/{NAME}").json()["live"]
        assert served == live_version(self.repository, NAME)
        return int(served)


@contextmanager
def started(place: Path, teachable_dir: Path, **settings: object) -> Iterator[Client]:
    if not (place / "models").exists():
        shutil.copytree(teachable_dir, place / "models")
    values = {
        "models_dir": place / "models",
        "device": "cpu",
        "trainings_dir": place / "trainings",
        "pictures_dir": place / "kept",
        "pictures_free_bytes": 0,
        "reload_interval_s": 0,
    }
    with TestClient(build_app(Settings.model_validate(values | settings))) as http:
        wait_until(lambda: http.get("/readyz").status_code == 200)
        yield Client(http, place)


def test_a_candidate_is_proved_served_and_taken_back(teachable_dir: Path, tmp_path: Path) -> None:
    filled(tmp_path / "kept", NAME).close()
    with started(tmp_path, teachable_dir) as client:
        found = client.taught()
        assert (found["state"], found["served"], found["version"], found["error"]) == ("proposed", 1, 2, None)
        proof = found["proof"]
        assert (proof["vanished"], proof["remaining"], proof["reviewed"], proof["unreviewed"]) == (4, 0, 7, 3)
        assert (proof["lost"]["count"], proof["lost"]["total"]) == (0, 3) and proof["false_alarms"]["total"] > 4
        assert any("0 of 3 confirmed defects lost" in each for each in proof["sentences"])
        assert found["seconds"] > 0 and found["notes"] and str(tmp_path) not in str(found)
        assert client.live() == 1
        assert [each["version"] for each in client.http.get(f"/v1/models/{NAME}").json()["versions"]] == [1, 2]
        id = found["id"]
        assert client.http.delete(f"/v1/teachings/{id}").json()["state"] == "proposed"  # it waits for a decision
        early = client.decide(id, "rollback")
        assert (early.status_code, early.json()["code"]) == (409, "teaching_conflict")
        served = client.decide(id, "promote", second_person=True)
        assert served.status_code == 200 and (served.json()["state"], served.json()["by"]) == (
            "served",
            "tessera serve",
        )
        assert client.live() == 2
        assert client.repository.serving(NAME).history[-1].by == "tessera serve"
        back = client.decide(id, "rollback")
        assert back.json()["state"] == "rolled_back" and client.live() == 1
        assert client.decide(id, "promote").json()["code"] == "teaching_conflict"
        assert [each["id"] for each in client.http.get("/v1/teachings").json()["teachings"]] == [id]
        assert client.http.get("/v1/teachings?model=other").json()["teachings"] == []
        assert client.http.delete(f"/v1/teachings/{id}").status_code == 204
        assert client.http.get(f"/v1/teachings/{id}").json()["code"] == "teaching_not_found"
        assert client.http.get(f"/v1/teachings/{id}/events").json()["code"] == "teaching_not_found"


def test_a_requested_rate_sets_the_thresholds(teachable_dir: Path, tmp_path: Path) -> None:
    filled(tmp_path / "kept", NAME).close()
    with started(tmp_path, teachable_dir) as client:
        refused = client.http.post(TEACH, json={"false_positive_rate": 1})
        assert (refused.status_code, refused.json()["code"]) == (422, "invalid_request"), refused.text
        assert "false_positive_rate" in refused.text
        assert client.http.post(TEACH, content=b" " * 5000).json()["code"] == "too_many_bytes"
        answer = client.http.post(TEACH, json={"false_positive_rate": 0.2, "second_stage": False})
        assert answer.status_code == 202, answer.text
        assert client.ended(answer.json()["id"])["state"] == "proposed"
        assert read_manifest(client.repository.find(NAME, 2).path).calibration.false_positive_rate == 0.2


def test_poison_is_refused_and_leaves_no_version(teachable_dir: Path, tmp_path: Path) -> None:
    filled(tmp_path / "kept", NAME, poison=5).close()
    with started(tmp_path, teachable_dir) as client:
        id = client.http.post(TEACH).json()["id"]
        events = client.followed(id)
        assert {"pictures", "replay"} <= {each["stage"] for each in events if each["state"] == "running"}
        found = client.ended(id)
        assert found == events[-1] == client.followed(id)[0]
        assert (found["state"], found["version"]) == ("refused", None)
        assert (
            found["proof"]["result"] == "refused" and "confirmed defects would be lost" in found["proof"]["reasons"][0]
        )
        assert client.live() == 1 and len(client.repository.versions(NAME)) == 1
        assert client.decide(found["id"], "promote").json()["code"] == "teaching_conflict"


@contextmanager
def with_keys(place: Path, teachable_dir: Path) -> Iterator[Client]:
    """A server with the keys of SECRETS, whose rules allow any sound candidate with two reviews."""
    now = datetime.now(UTC)
    keys = [ApiKey(name, Scope.admin, digest_of(secret), now) for name, secret in SECRETS.items()]
    write_keys(place / "keys.json", keys)
    settings = {"keys_file": place / "keys.json", "teach_serve": "alarms:1,reviewed:2"}
    with started(place, teachable_dir, **settings) as client:
        client.http.headers["Authorization"] = f"Bearer {SECRETS['lena']}"
        yield client


def test_rules_serve_a_sound_candidate_without_a_word(teachable_dir: Path, tmp_path: Path) -> None:
    store = opened(tmp_path / "kept")
    for seed in (290, 291):
        add(store, NAME, seed, None, ReviewLabel.harmless, "lena")
    store.close()
    with with_keys(tmp_path, teachable_dir) as client:
        found = client.taught()
        assert (found["state"], found["by"]) == ("served", "rules (teach_serve)"), found
        assert client.live() == 2
        assert client.decide(found["id"], "rollback").json()["by"] == "lena"
        assert client.live() == 1


def test_doubtful_reviews_need_a_second_person(teachable_dir: Path, tmp_path: Path) -> None:
    filled(tmp_path / "kept", NAME, reviewer="lena").close()  # four false alarms are far over the threshold
    with with_keys(tmp_path, teachable_dir) as client:
        found = client.taught()
        assert (found["state"], found["proof"]["result"]) == ("proposed", "second_word"), found["proof"]
        assert "not served by the rules (teach_serve): the proof asks for a person's word" in found["notes"]
        assert {each["reviewer"] for each in found["proof"]["doubts"]} == {"lena"}
        own = client.decide(found["id"], "promote", second_person=True)
        assert (own.status_code, own.json()["code"]) == (409, "second_person_required") and "'lena'" in own.text
        client.http.headers["Authorization"] = f"Bearer {SECRETS['otto']}"
        assert client.decide(found["id"], "promote").json()["code"] == "second_person_required"
        declined = client.decide(found["id"], "refuse").json()
        assert (declined["state"], declined["by"]) == ("declined", "otto")
        assert client.live() == 1 and [each.version for each in client.repository.versions(NAME)] == [1]


def test_a_teaching_is_cancelled_and_one_runs_at_a_time(teachable_dir: Path, tmp_path: Path) -> None:
    with started(tmp_path, teachable_dir) as client:
        nothing = client.http.post(TEACH)
        assert (nothing.status_code, nothing.json()["code"]) == (409, "nothing_to_learn")
        assert client.http.post("/v1/models/absent/teach").json()["code"] == "model_not_found"
        filled(tmp_path / "kept", NAME).close()
        id = client.http.post(TEACH).json()["id"]
        busy = client.http.post(TEACH)
        assert (busy.status_code, busy.json()["code"]) == (429, "training_busy")
        assert client.http.delete(f"/v1/teachings/{id}").json()["state"] == "cancelled"
        assert client.ended(id)["state"] == "cancelled" and len(client.repository.versions(NAME)) == 1
        begun = client.http.post(TEACH).json()["id"]
    with started(tmp_path, teachable_dir) as client:
        ended = client.get(begun)
        assert (ended["state"], ended["error"]["code"]) == (TeachingState.failed, "training_interrupted")
        assert client.http.post(f"/v1/teachings/{begun}/decision", json={"decision": "eat"}).status_code == 422


@pytest.mark.parametrize(
    ("left_out", "code"), [("pictures_dir", "pictures_unavailable"), ("trainings_dir", "trainings_unavailable")]
)
def test_a_server_without_a_folder_says_which_one_it_needs(
    models_dir: Path, tmp_path: Path, left_out: str, code: str
) -> None:
    values = {"models_dir": tmp_path, "pictures_dir": tmp_path / "kept", "trainings_dir": tmp_path / "trainings"}
    del values[left_out]
    with TestClient(build_app(Settings.model_validate(values | {"device": "cpu"}))) as http:
        assert http.get("/v1/teachings").json()["code"] == code
