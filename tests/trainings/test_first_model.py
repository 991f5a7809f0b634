"""A first model from ten pictures, by HTTP."""

import os
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from httpx2 import Response
from starlette.testclient import TestClient

from app.application import build_app
from app.artifacts import ModelRepository, read_manifest
from app.settings import Settings
from tests.trainings.conftest import Client, Picture, Serve, good, png
from tests.waiting import wait_until

Made = tuple[Response, list[dict[str, Any]]]


def test_ten_pictures_become_a_served_model_that_says_what_it_cannot_exclude(client: Client, made: Made) -> None:
    answer, events = made
    assert answer.status_code == 202, answer.text
    begun, ended = answer.json(), events[-1]
    assert answer.headers["Location"] == f"/v1/trainings/{begun['id']}"
    assert (begun["state"], begun["version"], begun["pictures"]) == ("running", None, 10)
    assert {event["stage"] for event in events} >= {"pictures", "calibration"}
    assert (ended["state"], ended["version"], ended["error"]) == ("done", 1, None)
    assert ended["caution"] == "with 10 pictures, up to 26 % false alarms cannot be excluded"
    assert client.get(begun["id"]) == ended
    (entry,) = ModelRepository(client.models).versions("lid")
    manifest = read_manifest(entry.path)
    assert (manifest.detector.name, manifest.calibration.protocol) == ("subspace", "cross-conformal")
    assert manifest.quality is not None and manifest.quality.false_alarms is not None
    assert manifest.quality.false_alarms.exceeded == 0
    assert manifest.quality.false_alarms.bound == pytest.approx(1 - 0.05 ** (1 / 10))
    (model,) = client.http.get("/v1/models").json()["models"]
    assert model["name"] == "lid" and model["versions"][0]["state"] == "ready"


def test_the_model_judges_the_next_pictures(client: Client, made: Made, defect_png: bytes, normal_png: bytes) -> None:
    labels = {}
    for name, picture in (("defect", defect_png), ("normal", normal_png)):
        answer = client.http.post("/v1/models/lid/predict", files={"image": (name, picture)})
        labels[name] = answer.raise_for_status().json()["label"]
    assert labels == {"defect": "anomalous", "normal": "normal"}


def test_nothing_is_left_of_the_pictures(client: Client, made: Made) -> None:
    id = made[1][-1]["id"]
    client.ended(id)
    assert [path.name for path in client.folder.iterdir()] == [f"{id}.json"]
    assert {path.name for path in (client.models / "lid").iterdir() if path.is_dir()} == {"1"}


@pytest.mark.parametrize(
    ("name", "pictures", "code", "words"),
    [
        ("lid", good(10), "model_exists", "choose another name"),
        ("Lid 7", good(10), "invalid_name", "lower-case letters"),
        ("../lid", good(10), "invalid_name", "lower-case letters"),
        ("default", good(10), "invalid_name", "stands for the model"),
        ("few", good(6), "too_few_pictures", "with 6, up to 39% false alarms"),
        ("sizes", [*good(9), ("b.png", png(9, 64, 64))], "sizes_differ", "'b.png' has 64 x 64"),
        ("text", [*good(9), ("notes.txt", b"no picture")], "unsupported_image", "'notes.txt'"),
        ("empty", [*good(9), ("empty.png", b"")], "invalid_image", "'empty.png'"),
    ],
)
def test_a_request_that_cannot_work_is_refused_at_once(
    client: Client, made: Made, name: str, pictures: Sequence[Picture], code: str, words: str
) -> None:
    answer = client.teach(name, pictures)
    assert answer.json()["code"] == code and words in answer.json()["detail"], answer.text
    assert str(client.models) not in answer.text
    assert [path.name for path in client.models.iterdir() if path.is_dir()] == ["lid"]


@pytest.mark.parametrize(
    ("data", "field"), [({}, "name"), ({"name": ["a", "b"]}, "name"), ({"name": "a", "seed": "1"}, "seed")]
)
def test_a_form_without_a_name_or_with_other_fields_is_refused(
    client: Client, data: dict[str, Any], field: str
) -> None:
    answer = client.http.post("/v1/models", data=data, files=[("images", each) for each in good(10)])
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == f"body.{field}"


def test_a_damaged_picture_ends_the_training_and_is_named(client: Client) -> None:
    whole = png(9)
    damaged = whole[:200] + bytes(100) + whole[300:]  # only decoding finds it
    id = client.teach("damaged", [*good(9), ("b.png", damaged)]).json()["id"]
    ended = client.ended(id)
    assert (ended["state"], ended["error"]["code"]) == ("failed", "invalid_dataset")
    assert "b.png" in ended["error"]["message"] and str(client.folder) not in ended["error"]["message"]
    assert not (client.models / "damaged").exists()


def test_a_cancelled_training_leaves_nothing_and_another_waits_for_its_end(client: Client) -> None:
    id = client.teach("cancelled", good(10)).json()["id"]
    busy = client.teach("other", good(10))
    assert (busy.status_code, busy.json()["code"]) == (429, "training_busy") and int(busy.headers["Retry-After"]) > 0
    assert client.http.delete(f"/v1/trainings/{id}").json()["state"] == "cancelled"
    assert client.ended(id)["state"] == "cancelled"
    assert not (client.models / "cancelled").exists()
    assert client.http.delete(f"/v1/trainings/{id}").status_code == 204
    assert client.http.get(f"/v1/trainings/{id}").json()["code"] == "training_not_found"


def test_a_killed_process_ends_the_training_and_the_repository_stays_whole(client: Client) -> None:
    id = client.teach("killed", good(10)).json()["id"]
    wait_until(lambda: any(_children()))
    for child in _children():
        os.kill(child, signal.SIGKILL)
    ended = client.ended(id)
    assert (ended["state"], ended["error"]["code"]) == ("failed", "training_interrupted")
    assert "status -9" in ended["error"]["message"]
    assert not (client.models / "killed").exists()


def test_a_training_that_takes_too_long_is_ended(serve: Serve) -> None:
    client = serve(training_timeout_s=0.1)
    ended = client.ended(client.teach("late", good(10)).json()["id"])
    assert "longer than 0.1 s (training_timeout_s)" in ended["error"]["message"]


def test_a_server_without_a_folder_trains_nothing(models_dir: Path) -> None:

    with TestClient(build_app(Settings(models_dir=models_dir, device="cpu"))) as http:
        answer = http.post("/v1/models", data={"name": "lid"}, files=[("images", each) for each in good(10)])
        assert (answer.status_code, answer.json()["code"]) == (404, "trainings_unavailable")
        assert http.get("/v1/trainings").status_code == 404


def _children() -> list[int]:
    """The processes that train for this one."""
    own, found = os.getpid(), []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((path / "stat").read_text().rpartition(")")[2].split()[1])
            if parent == own and b"app.trainings.training_process" in (path / "cmdline").read_bytes():
                found.append(int(path.name))
        except (OSError, ValueError):  # it has ended
            continue
    return found
