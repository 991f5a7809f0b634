"""Requests with `partial`: a time limit ends the work with an answer for what was looked at by then."""

import io
import json
import logging
import re
from base64 import b64decode
from collections.abc import Callable
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import httpx2
import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from app.api.schemas.verdict import VerdictBody
from app.detectors import Features
from app.pipeline import TiledModel
from tests.conftest import Picture, draw_surface
from tests.running import Live
from tests.waiting import wait_until

URL = "/v1/models/patchcore"
SIZE = 416, 544
STAIN = 300, 420, 16, 24
"""The (top, left, height, width) of the defect: in the last third of the picture, row by row."""
TILE_S = 0.025
LIMIT_S = 2.0
"""About half of the time of the picture, on two lanes."""
TOLERANCE_S = 1.0


def slow(model: TiledModel) -> None:
    """Makes each tile of the model take TILE_S."""
    run = model.run

    def run_slowly(tiles: Any) -> Features:
        sleep(TILE_S * len(tiles))
        return run(tiles)

    model.run = run_slowly  # type: ignore[method-assign]  # simulates a slow device


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the sink `events`, and of the record of verdicts."""
    return tmp_path_factory.mktemp("told")


@pytest.fixture(scope="module")
def slowly(live_module: Callable[..., Live], told: Path) -> Live:
    sinks = {"on_verdict": f"folder:{told}/events", "spool_dir": told / "spool"}
    server = live_module(cpu_lanes=2, verdict_record=told / "record.jsonl", **sinks)
    slow(server.services.catalogue.get("patchcore").model)
    httpx2.post(f"{server.url}{URL}/predict", files={"image": png(draw_surface(1))})  # shows how slow it is
    return server


def png(picture: Picture) -> bytes:
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "PNG")
    return file.getvalue()


@pytest.fixture(scope="module")
def whole(slowly: Live, stained: bytes) -> dict[str, Any]:
    """The prediction for the whole stained picture, by the same server: another one may choose other kernels."""
    answer: dict[str, Any] = httpx2.post(
        f"{slowly.url}{URL}/predict?include=tiles,mask", files={"image": stained}, timeout=60
    ).json()
    return answer


@pytest.fixture(scope="module")
def part(slowly: Live, stained: bytes) -> tuple[httpx2.Response, float]:
    """The answer for the stained picture within LIMIT_S, and the seconds that it took."""
    started = monotonic()
    return ask(slowly, stained, LIMIT_S, include="mask,heatmap,tiles"), monotonic() - started


@pytest.fixture(scope="module")
def normal() -> bytes:
    return png(draw_surface(2000, *SIZE))


@pytest.fixture(scope="module")
def stained() -> bytes:
    picture, (top, left, height, width) = draw_surface(2000, *SIZE), STAIN
    picture[top : top + height, left : left + width] = (255, 0, 0)
    return png(picture)


def decoded(content: str) -> Picture:
    return np.array(Image.open(io.BytesIO(b64decode(content))))


def events(told: Path) -> dict[str, dict[str, Any]]:
    """The events of the sink, by the IDs of their requests."""
    return {each["request_id"]: each for each in (json.loads(path.read_text()) for path in told.rglob("*/*/*.json"))}


def ask(server: Live, picture: bytes, limit_s: float, route: str = "predict", **query: Any) -> httpx2.Response:
    headers = {"X-Request-Timeout": str(limit_s)}
    params = {"partial": "true", **query}
    return httpx2.post(
        f"{server.url}{URL}/{route}", params=params, files={"image": picture}, headers=headers, timeout=60
    )


def unseen_mask(answer: dict[str, Any]) -> np.ndarray[Any, np.dtype[np.bool_]]:
    found = np.zeros(SIZE, np.bool_)
    for box in answer["partial"]["unseen"]:
        place = slice(box["y"], box["y"] + box["height"]), slice(box["x"], box["x"] + box["width"])
        assert not found[place].any(), "the rectangles overlap"
        found[place] = True
    return found


def test_a_planted_defect_is_found_although_only_a_part_was_looked_at_in_time(
    part: tuple[httpx2.Response, float], told: Path
) -> None:
    response, seconds = part
    assert seconds < LIMIT_S + TOLERANCE_S
    answer = response.json()
    assert response.status_code == 200, answer
    partial = answer["partial"]
    assert not partial["complete"] and 0 < partial["share"] < 1
    assert 0 < partial["tiles_done"] < partial["tiles"]
    unseen = unseen_mask(answer)
    assert partial["share"] == pytest.approx(1 - unseen.mean())
    assert answer["label"] == "anomalous" and "partial" in [note["code"] for note in answer["notes"]]
    (region,) = answer["regions"]
    top, left, height, width = STAIN
    assert top - 16 <= region["peak"]["y"] < top + height + 16 and left - 16 <= region["peak"]["x"] < left + width + 16
    assert not unseen[region["peak"]["y"], region["peak"]["x"]]
    mask = decoded(answer["mask"])
    assert ((mask == 128) == unseen).all() and (mask == 255).sum() == region["area"]
    heatmap = decoded(answer["heatmap"])
    assert (heatmap[unseen] == heatmap[unseen][:, :1]).all()  # hatched in grey
    assert 0 < len(answer["tiles"]["items"]) < answer["tiles"]["count"]
    assert response.headers["Tessera-Partial"] == f"share={int(partial['share'] * 10_000) / 10_000:g}"
    own = response.headers["X-Request-ID"]
    wait_until(lambda: own in events(told))
    assert (events(told)[own]["type"], events(told)[own]["partial"]) == ("tessera.verdict.v1", partial)


def test_the_values_of_what_was_looked_at_are_those_of_the_whole_picture(
    part: tuple[httpx2.Response, float], whole: dict[str, Any]
) -> None:
    answer = part[0].json()
    assert answer["partial"]["share"] < 1
    known = {(tile["row"], tile["column"]): tile["score"] for tile in whole["tiles"]["items"]}
    for tile in answer["tiles"]["items"]:
        assert tile["score"] == pytest.approx(known[tile["row"], tile["column"]], abs=1e-5)
    assert answer["score"] <= whole["score"] + 1e-5
    (found,), (known_region,) = answer["regions"], whole["regions"]
    assert (found["peak"], found["score"]) == (known_region["peak"], known_region["score"])
    assert encloses(known_region["box"], found["box"]) and found["area"] <= known_region["area"]
    if not unseen_mask(answer)[pixels_of(known_region["box"])].any():
        assert found == known_region


def encloses(outer: dict[str, int], inner: dict[str, int]) -> bool:
    return all(
        outer[start] <= inner[start] and inner[start] + inner[size] <= outer[start] + outer[size]
        for start, size in (("x", "width"), ("y", "height"))
    )


def pixels_of(box: dict[str, int]) -> tuple[slice, slice]:
    return slice(box["y"], box["y"] + box["height"]), slice(box["x"], box["x"] + box["width"])


def test_a_part_without_an_anomaly_is_undecided_and_never_normal(
    slowly: Live, told: Path, normal: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    response = ask(slowly, normal, LIMIT_S)
    answer, own = response.json(), response.headers["X-Request-ID"]
    assert answer["partial"]["share"] < 1
    assert (answer["label"], answer["regions"]) == ("undecided", [])
    (note,) = [note for note in answer["notes"] if note["code"] == "partial"]
    assert "not known to be normal" in note["message"]
    assert 'tessera_verdicts_total{label="undecided",model="patchcore",version="2"} ' in metrics(slowly)
    assert not re.search(r"tessera_partial_answers_total 0\.0", metrics(slowly))
    wait_until(lambda: lines(caplog, own) != [])
    (line,) = lines(caplog, own)
    assert "label=undecided" in line and f"share={answer['partial']['share']:.4f}".rstrip("0") in line
    wait_until(lambda: own in events(told))
    event = events(told)[own]
    VerdictBody.model_validate(event)
    assert (event["type"], event["label"], event["partial"]) == ("tessera.undecided.v1", "undecided", answer["partial"])
    wait_until(lambda: own in (told / "record.jsonl").read_text())
    records = [json.loads(each) for each in (told / "record.jsonl").read_text().splitlines()]
    (record,) = [each for each in records if each["request_id"] == own]
    assert (record["label"], record["share"]) == ("undecided", answer["partial"]["share"])


def test_a_heatmap_of_a_part_is_hatched_and_says_so(slowly: Live, normal: bytes) -> None:
    response = ask(slowly, normal, LIMIT_S, "heatmap", style="mask")
    assert response.status_code == 200
    assert response.headers["Tessera-Label"] == "undecided" and "partial" in response.headers["Tessera-Notes"]
    name, share = response.headers["Tessera-Partial"].split("=")
    mask = np.array(Image.open(io.BytesIO(response.content)))
    assert name == "share" and float(share) == pytest.approx(1 - (mask == 128).mean(), abs=1e-4)


def test_with_enough_time_the_answer_is_that_of_the_whole_picture(client: TestClient, stained: bytes) -> None:
    whole = client.post(f"{URL}/predict?include=tiles,mask", files={"image": stained}).json()
    headers = {"X-Request-Timeout": "60"}
    url = f"{URL}/predict?partial=true&include=mask,tiles"
    answer = client.post(url, files={"image": stained}, headers=headers).json()
    partial = answer["partial"]
    assert (partial["complete"], partial["share"], partial["unseen"]) == (True, 1, [])
    assert partial["tiles_done"] == partial["tiles"]
    for name in ("score", "raw_score"):
        assert answer[name] == pytest.approx(whole[name], rel=1e-5)
    for name in ("label", "regions", "mask", "notes", "image"):
        assert answer[name] == whole[name], name
    scores = [[tile["score"] for tile in each["tiles"]["items"]] for each in (answer, whole)]
    assert scores[0] == pytest.approx(scores[1], abs=1e-5)


def test_without_a_limit_the_whole_picture_is_computed_as_always(live: Callable[..., Live], normal_png: bytes) -> None:
    server, normal = live(request_timeout_s=0), normal_png
    answer = httpx2.post(f"{server.url}{URL}/predict?partial=true", files={"image": normal})
    whole = httpx2.post(f"{server.url}{URL}/predict", files={"image": normal})
    assert answer.headers["Tessera-Partial"] == "share=1" and "Tessera-Partial" not in whole.headers
    assert answer.json()["score"] == whole.json()["score"] and answer.json()["label"] == "normal"
    assert answer.json()["partial"]["complete"] and "partial" not in whole.json()


def test_nothing_that_was_looked_at_is_no_answer(slowly: Live, normal: bytes) -> None:
    before = metrics(slowly)
    response = ask(slowly, normal, 0.15)
    assert (response.status_code, response.json()["code"]) == (504, "deadline_exceeded")
    assert metrics(slowly) != before
    wait_until(lambda: slowly.services.worker.tiles == 0)


def test_the_work_of_a_client_that_leaves_is_dropped(slowly: Live, normal: bytes) -> None:
    with pytest.raises(httpx2.ReadTimeout):
        httpx2.post(f"{slowly.url}{URL}/predict?partial=true", files={"image": normal}, timeout=0.7)
    wait_until(lambda: slowly.services.worker.tiles == 0)


def test_pictures_of_a_batch_share_the_limit(slowly: Live, normal: bytes, stained: bytes) -> None:
    files = [("images", ("a.png", stained)), ("images", ("b.png", normal))]
    started = monotonic()
    response = httpx2.post(
        f"{slowly.url}{URL}/predict-batch?partial=true",
        files=files,
        headers={"X-Request-Timeout": str(2.4 * LIMIT_S)},
        timeout=60,
    )
    assert monotonic() - started < 2.4 * LIMIT_S + TOLERANCE_S
    labels = [item["prediction"]["label"] for item in response.json()["items"]]
    assert labels == ["anomalous", "undecided"]


def test_models_that_see_a_picture_at_once_are_refused_before_work_begins(client: TestClient, normal: bytes) -> None:
    answer = client.post("/v1/models/padim/predict?partial=true", files={"image": normal})
    assert (answer.status_code, answer.json()["code"]) == (422, "partial_unsupported")
    assert "resizes" in answer.json()["detail"]


def test_routes_whose_answer_cannot_say_what_is_missing_do_not_have_it(client: TestClient, normal: bytes) -> None:
    answer = client.post("/v1/models/patchcore/anomaly-map?partial=true", files={"image": normal})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


def lines(caplog: pytest.LogCaptureFixture, request_id: str) -> list[str]:
    """The lines of a request in the log."""
    return [each.getMessage() for each in caplog.records if f"id={request_id} " in each.getMessage()]


def metrics(server: Live) -> str:
    return httpx2.get(f"{server.url}/metrics").text
