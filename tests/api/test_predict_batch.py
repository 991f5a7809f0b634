"""Several pictures in one request."""

import json
from typing import Any

import pytest
from starlette.testclient import TestClient

URL = "/v1/models/patchcore/predict-batch"
Files = list[tuple[str, tuple[str, bytes]]]


def form(*pictures: bytes) -> Files:
    return [("images", (f"{number}.png", data)) for number, data in enumerate(pictures)]


def post(client: TestClient, files: Files, query: str = "") -> list[dict[str, Any]]:
    answer = client.post(f"{URL}?{query}", files=files)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/json"
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


def without_times(prediction: dict[str, Any]) -> dict[str, Any]:
    return {**prediction, "timing_ms": None}


def test_each_picture_is_answered_as_if_it_were_alone(client: TestClient, normal_png: bytes, defect_png: bytes) -> None:
    items = post(client, form(normal_png, defect_png, normal_png), "threshold=0.6&include=tiles")
    assert [(item["index"], item["file"]) for item in items] == [(0, "0.png"), (1, "1.png"), (2, "2.png")]
    for item, data in zip(items, (normal_png, defect_png, normal_png), strict=True):
        url = "/v1/models/patchcore/predict?threshold=0.6&include=tiles"
        alone = client.post(url, files={"image": data}).json()
        assert without_times(item["prediction"]) == without_times(alone)


def test_a_bad_picture_has_its_problem_in_its_place(client: TestClient, normal_png: bytes) -> None:
    items = post(client, form(normal_png, b"no picture", normal_png[:-30], b"", normal_png))
    assert [item.get("problem", {}).get("code") for item in items] == [
        *(None, "unsupported_image", "damaged_image", "invalid_image", None)
    ]
    alone = client.post("/v1/models/patchcore/predict", files={"image": b"no picture"}).json()
    assert items[1]["problem"].keys() == alone.keys() and items[1]["problem"]["status"] == 415
    assert "prediction" not in items[1] and "problem" not in items[0]


@pytest.mark.parametrize(
    "accept",
    [
        "application/x-ndjson",
        "application/x-ndjson, application/json",
        "application/json; q=0.5, application/x-ndjson; q=0.9",
        "application/x-ndjson, */*",
    ],
)
def test_lines_are_sent_to_clients_that_prefer_them(client: TestClient, normal_png: bytes, accept: str) -> None:
    files = form(normal_png, b"no picture", normal_png)
    answer = client.post(URL, files=files, headers={"Accept": accept})
    assert answer.headers["content-type"] == "application/x-ndjson"
    assert answer.headers["vary"].split(", ")[0] == "Accept"
    lines = [json.loads(line) for line in answer.text.splitlines()]
    assert [line["index"] for line in lines] == [0, 1, 2]
    assert [line.keys() & {"prediction", "problem"} for line in lines] == [{"prediction"}, {"problem"}, {"prediction"}]


@pytest.mark.parametrize(
    "accept",
    [
        "*/*",
        "application/json",
        "application/x-ndjson;q=0, application/json",
        "application/json, application/x-ndjson, application/problem+json",  # of generated clients
        "application/x-ndjson;q=0.5, application/json",
        "application/x-ndjson;q=none",
    ],
)
def test_the_answer_is_one_document_for_other_clients(client: TestClient, normal_png: bytes, accept: str) -> None:
    answer = client.post(URL, files=form(normal_png), headers={"Accept": accept})
    assert len(answer.json()["items"]) == 1


def test_more_pictures_than_the_limit_are_refused_as_a_whole(client: TestClient) -> None:
    answer = client.post(URL, files=form(*[b"x"] * 101))
    assert (answer.status_code, answer.json()["code"]) == (413, "too_many_pictures")
    assert "100" in answer.json()["detail"]
    assert len(post(client, form(*[b"x"] * 100))) == 100


@pytest.mark.parametrize(
    ("files", "field", "words"),
    [
        ([("images", (None, "a.png"))], "body.images", "text"),
        ([("image", ("a.png", b"x"))], "body.image", "'images'"),
    ],
)
def test_text_and_other_fields_are_refused_by_name(client: TestClient, files: Any, field: str, words: str) -> None:
    answer = client.post(URL, files=files)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    (error,) = answer.json()["errors"]
    assert error["field"] == field and words in error["message"]


def test_a_form_without_a_picture_is_refused(client: TestClient) -> None:
    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    answer = client.post(URL, content=b"--b--\r\n", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    (error,) = answer.json()["errors"]
    assert error["field"] == "body.images" and "no file" in error["message"]


def test_other_bodies_are_refused(client: TestClient, normal_png: bytes) -> None:
    answer = client.post(URL, content=normal_png, headers={"Content-Type": "image/png"})
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")
    assert "multipart/form-data" in answer.json()["detail"]


def test_unknown_models_are_refused_as_a_whole(client: TestClient, normal_png: bytes) -> None:
    assert client.post(URL.replace("patchcore", "screw"), files=form(normal_png)).status_code == 404


def test_pictures_that_miss_the_deadline_have_a_problem(client: TestClient, normal_png: bytes) -> None:
    answer = client.post(URL, files=form(*[normal_png] * 8), headers={"X-Request-Timeout": "0.000001"})
    codes = {item["problem"]["code"] for item in answer.json()["items"]}
    assert answer.status_code == 200 and codes == {"deadline_exceeded"}
