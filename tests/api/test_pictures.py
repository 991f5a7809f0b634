"""Kept pictures and their reviews over HTTP."""

import io
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from httpx2 import Response
from PIL import Image
from starlette.testclient import TestClient

from app.application import build_app
from app.keys import ApiKey, Scope, digest_of, new_secret, write_keys
from app.service.keeping import keeper
from app.settings import Settings
from tests.conftest import Picture
from tests.waiting import wait_until

Start = Callable[..., TestClient]
MODEL = "/v1/models/patchcore"
HARMLESS = {"label": "harmless"}


@pytest.fixture
def start(models_dir: Path, tmp_path: Path) -> Iterator[Start]:
    """A function that starts a server that keeps all pictures in `tmp_path / "kept"`; all stop after the test."""
    with ExitStack() as stack:

        def begin(**settings: object) -> TestClient:
            values = {"models_dir": models_dir, "device": "cpu", "pictures_dir": tmp_path / "kept"}
            more = {"pictures_keep": "all", "pictures_free_bytes": 0}
            client = stack.enter_context(TestClient(build_app(Settings.model_validate(values | more | settings))))
            wait_until(lambda: client.get("/readyz").status_code == 200)
            return client

        yield begin


def kept(client: TestClient, count: int, **query: object) -> list[dict[str, Any]]:
    """The kept pictures, once there are so many."""
    found: list[dict[str, Any]] = []

    def are_there() -> bool:
        found[:] = client.get("/v1/pictures", params=query).raise_for_status().json()["pictures"]  # type: ignore[arg-type]
        return len(found) >= count

    wait_until(are_there)
    assert len(found) == count
    return found


def review(client: TestClient, picture: dict[str, Any], body: object, **headers: str) -> Response:
    own = {"If-Match": str(picture["etag"])} | headers
    return client.put(f"/v1/pictures/{picture['id']}/review", json=body, headers=own)


def problem(answer: Response, status: int, code: str) -> str:
    body = answer.json()
    assert (answer.status_code, body["code"]) == (status, code), body
    return str(body["detail"])


def as_tiff(picture: Picture) -> bytes:
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "TIFF")
    return file.getvalue()


def test_a_predicted_picture_is_kept_and_reviewed(
    start: Start, defect_png: bytes, normal_png: bytes, normal_picture: Picture
) -> None:
    client = start()
    form = {"image": ("p7.png", defect_png, "image/png")}
    answer = client.post(f"{MODEL}/predict", files=form, headers={"X-Request-ID": "line-1"}).json()
    client.post(f"{MODEL}/heatmap", content=normal_png)
    client.post(f"{MODEL}/predict", content=normal_png)  # the same file
    client.post(f"{MODEL}/predict?roi=0,0,64,64", content=as_tiff(normal_picture))  # a part only
    first = kept(client, 1, label="anomalous")[0]
    assert {each["label"] for each in kept(client, 2)} == {"anomalous", "normal"}
    assert (first["score"], first["request_id"], first["rule"]) == (answer["score"], "line-1", "all")
    assert (first["name"], first["model"]["version"], first["image"]) == ("p7.png", 2, answer["image"])
    assert [each["box"] for each in first["regions"]] == [each["box"] for each in answer["regions"]]
    region = first["regions"][0]
    columns = [x for x, _ in region["outline"][0][0]]
    assert (min(columns), max(columns)) == (region["box"]["x"], region["box"]["x"] + region["box"]["width"])
    url = f"/v1/pictures/{first['id']}"
    assert client.get(f"{url}/file").content == defect_png == client.get(f"{url}/shown").content
    heat = client.get(f"{url}/heatmap")
    assert heat.headers["content-type"] == "image/png"
    assert Image.open(io.BytesIO(heat.content)).size == (160, 96)

    shown = client.get(url)
    assert client.get(url, headers={"If-None-Match": shown.headers["ETag"]}).status_code == 304
    body = {
        "label": "defect",
        "regions": [{"number": 0, "label": "defect"}],
        "missed": [{"rings": [[[1, 1], [9, 1], [9, 9]]]}],
    }
    changed = review(client, first, body, **{"If-Match": shown.headers["ETag"]}).json()
    assert {key: changed["review"][key] for key in body} == body
    assert problem(review(client, first, HARMLESS), 412, "review_conflict")
    store = client.app.state.services.pictures.store  # type: ignore[attr-defined]  # any ASGI
    (taught,) = map(store.judged, store.each(model="patchcore", reviewed=True))
    assert taught.read().shape == (3, 96, 160) and taught.regions[-1].missed and not taught.regions[0].missed
    assert client.get(url, headers={"If-None-Match": shown.headers["ETag"]}).json() == changed
    assert kept(client, 1, reviewed=True)[0]["id"] == first["id"] and kept(client, 1, reviewed=False)

    gone = client.delete(f"{url}/review", headers={"If-Match": changed["etag"]}).json()
    assert "review" not in gone and not kept(client, 0, reviewed=True)
    assert problem(client.delete(url, headers={"If-Match": changed["etag"]}), 412, "review_conflict")
    assert client.delete(url, headers={"If-Match": gone["etag"]}).status_code == 204
    assert problem(client.get(url), 404, "picture_not_found")
    assert problem(client.get(f"{url}/heatmap"), 404, "picture_not_found")


def test_a_large_tiff_has_a_picture_for_browsers(start: Start, defect_picture: Picture) -> None:
    client = start()
    large = as_tiff(defect_picture.repeat(5, 0).repeat(5, 1))
    assert len(large) > 2**20  # a temporary file, which is gone when the picture is stored
    client.post(f"{MODEL}/predict", content=large).raise_for_status()
    (picture,) = kept(client, 1)
    url = f"/v1/pictures/{picture['id']}"
    assert client.get(f"{url}/file").content == large
    shown = client.get(f"{url}/shown")
    assert shown.headers["content-type"] == "image/png"
    assert Image.open(io.BytesIO(shown.content)).size == (800, 480)


def test_wrong_requests_say_what_would_work(start: Start, defect_png: bytes) -> None:
    client = start()
    client.post(f"{MODEL}/predict", content=defect_png)
    (picture,) = kept(client, 1)
    url = f"/v1/pictures/{picture['id']}"
    assert "If-Match" in problem(client.put(f"{url}/review", json=HARMLESS), 428, "tag_required")
    assert "If-Match" in problem(client.delete(url), 428, "tag_required")
    unknown = {"label": "harmless", "regions": [{"number": 99, "label": "unsure"}]}
    assert "judges region 99" in problem(review(client, picture, unknown), 422, "invalid_review")
    for body in ({}, {"label": "fine"}, HARMLESS | {"more": 1}, HARMLESS | {"missed": [{"rings": [[["a", 1]]]}]}):
        problem(review(client, picture, body), 422, "invalid_request")
    problem(client.get("/v1/pictures", params={"cursor": "x"}), 422, "invalid_request")
    problem(client.get("/v1/pictures", params={"cursor": "nan_1"}), 422, "invalid_request")
    problem(client.get("/v1/pictures", params={"order": "best"}), 422, "invalid_request")
    assert "review" not in client.get(url).json()


def test_pages_go_on_at_a_cursor(start: Start, defect_picture: Picture) -> None:
    client = start()
    for number in range(3):
        picture = defect_picture.copy()
        picture[0, 0] = number
        file = io.BytesIO()
        Image.fromarray(picture).save(file, "PNG")
        client.post(f"{MODEL}/predict", content=file.getvalue())
    kept(client, 3)
    first = client.get("/v1/pictures?limit=2&order=newest").json()
    second = client.get("/v1/pictures", params={"limit": 2, "order": "newest", "cursor": first["next"]}).json()
    assert (len(first["pictures"]), len(second["pictures"]), first["total"], "next" in second) == (2, 1, 3, False)


def test_keys_with_the_scope_review_see_pictures(start: Start, tmp_path: Path, defect_png: bytes) -> None:
    secrets = {scope: new_secret() for scope in Scope}
    path = tmp_path / "keys.json"
    write_keys(path, [ApiKey(f"a-{scope}", scope, digest_of(secrets[scope]), datetime.now(UTC)) for scope in Scope])
    client = start(keys_file=path)
    headers = {scope: {"Authorization": f"Bearer {secret}"} for scope, secret in secrets.items()}
    client.post(f"{MODEL}/predict", content=defect_png, headers=headers[Scope.predict]).raise_for_status()
    assert problem(client.get("/v1/pictures"), 401, "key_required")
    assert "review" in problem(client.get("/v1/pictures", headers=headers[Scope.predict]), 403, "insufficient_scope")
    client.headers |= headers[Scope.review]
    (picture,) = kept(client, 1)
    assert review(client, picture, HARMLESS).json()["review"]["reviewer"] == "a-review"
    assert client.post(f"{MODEL}/predict", content=defect_png).status_code == 200
    assert client.post("/v1/reload").status_code == 403
    assert client.get("/v1/pictures", headers=headers[Scope.admin]).json()["total"] == 1


def test_a_server_without_a_folder_keeps_nothing(start: Start) -> None:
    client = start(pictures_dir=None)
    assert "pictures_dir" in problem(client.get("/v1/pictures"), 404, "pictures_unavailable")


def test_a_store_that_cannot_be_written_fails_no_answer(
    start: Start, tmp_path: Path, defect_png: bytes, normal_png: bytes
) -> None:
    client, pictures = start(), tmp_path / "kept/pictures"
    pictures.rmdir()
    pictures.write_text("in the way")
    assert client.post(f"{MODEL}/predict", content=defect_png).status_code == 200
    wait_until(lambda: 'tessera_pictures_kept_total{result="failed"} 1.0' in client.get("/metrics").text)
    answer = client.get("/readyz")
    assert answer.status_code == 200 and "pictures cannot be kept" in answer.json()["notes"][0]
    pictures.unlink()
    pictures.mkdir()
    assert client.post(f"{MODEL}/predict", content=normal_png).status_code == 200
    kept(client, 1)
    wait_until(lambda: "notes" not in client.get("/readyz").json())
    assert "tessera_kept_pictures_bytes" in client.get("/metrics").text


def test_pictures_that_come_faster_than_they_are_stored_are_dropped_and_counted(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, defect_png: bytes, normal_png: bytes
) -> None:
    monkeypatch.setattr(keeper, "MOST_WAITING", 1)
    client = start()
    other = sqlite3.connect(tmp_path / "kept/pictures.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")  # holds up the store
    for content in (defect_png, normal_png, normal_png):
        assert client.post(f"{MODEL}/predict", content=content).status_code == 200
    assert 'tessera_pictures_kept_total{result="dropped"} 2.0' in client.get("/metrics").text
    other.execute("ROLLBACK")
    other.close()
    kept(client, 1)


def test_a_database_that_is_away_fails_no_answer(start: Start, defect_png: bytes) -> None:
    pytest.importorskip("psycopg", reason="the extra `postgres` has it")
    client = start(jobs_database="postgresql://tessera@127.0.0.1:1/kept?connect_timeout=2")
    assert client.post(f"{MODEL}/predict", content=defect_png).status_code == 200
    wait_until(lambda: 'tessera_pictures_kept_total{result="failed"} 1.0' in client.get("/metrics").text)
    answer = client.get("/v1/pictures")
    assert "new pictures are not kept" in problem(answer, 503, "pictures_database_unavailable")
    assert "Retry-After" in answer.headers
    assert client.get("/readyz").json()["notes"] == [
        "the database of kept pictures cannot be used; pictures are not kept"
    ]
