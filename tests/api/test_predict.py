import base64
import io
import math

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

URL = "/v1/models/patchcore/predict"
FIELDS = {"model", "image", "score", "raw_score", "label", "threshold", "regions", "notes", "tiles", "timing_ms"}


def test_a_defect_is_found_at_its_place(client: TestClient, defect_png: bytes) -> None:
    answer = client.post(URL, files={"image": defect_png})
    assert answer.status_code == 200
    body = answer.json()
    assert body.keys() == FIELDS
    assert body["label"] == "anomalous" and body["threshold"] == 0.5 < body["score"] <= 1
    digest = client.get("/v1/models/patchcore").json()["versions"][-1]["details"]["digest"]
    assert body["model"] == {"name": "patchcore", "version": 2, "detector": "patchcore", "digest": digest}
    assert body["image"] == {"width": 160, "height": 96}
    assert body["notes"] == []
    assert body["tiles"] == {"rows": 2, "columns": 4, "count": 8}
    region = body["regions"][0]
    assert 100 <= region["peak"]["x"] < 124 and 40 <= region["peak"]["y"] < 56
    assert region["score"] > 0.5 and region["area"] <= region["box"]["width"] * region["box"]["height"]


def test_normal_picture_has_no_region(client: TestClient, normal_png: bytes) -> None:
    body = client.post(URL, files={"image": normal_png}).json()
    assert body["label"] == "normal" and body["score"] <= 0.5
    assert body["regions"] == []


def test_a_picture_of_an_unseen_size_is_noted(client: TestClient, defect_png: bytes) -> None:
    file = io.BytesIO()
    Image.open(io.BytesIO(defect_png)).crop((0, 0, 150, 50)).save(file, "PNG")
    notes = client.post(URL, files={"image": file.getvalue()}).json()["notes"]
    assert [note["code"] for note in notes] == ["unseen_size", "smaller_than_tile"]
    assert "150 x 50" in notes[0]["message"]


def test_timings_are_finite_and_add_up(client: TestClient, normal_png: bytes) -> None:
    timing = client.post(URL, files={"image": normal_png}).json()["timing_ms"]
    assert list(timing) == ["decode", "queue", "device", "render", "total"]
    assert all(math.isfinite(each) and each >= 0 for each in timing.values())
    total = timing.pop("total")
    assert sum(timing.values()) == pytest.approx(total, abs=0.01)


def test_version_can_be_chosen(client: TestClient, normal_png: bytes) -> None:
    body = client.post(f"{URL}?version=1", files={"image": normal_png}).json()
    assert body["model"]["version"] == 1


@pytest.mark.parametrize("query", ["include=heatmap,mask,tiles", "include=heatmap&include=mask&include=tiles"])
def test_extras_are_included(client: TestClient, defect_png: bytes, query: str) -> None:
    body = client.post(f"{URL}?{query}", files={"image": defect_png}).json()
    assert body.keys() == FIELDS | {"heatmap", "mask"}
    heatmap, mask = (Image.open(io.BytesIO(base64.b64decode(body[name]))) for name in ("heatmap", "mask"))
    assert (heatmap.format, heatmap.mode, heatmap.size) == ("PNG", "RGB", (160, 96))
    assert (mask.format, mask.mode, mask.size) == ("PNG", "L", (160, 96))
    assert np.count_nonzero(np.asarray(mask)) == sum(region["area"] for region in body["regions"])
    tiles = body["tiles"]["items"]
    assert [(tile["row"], tile["column"]) for tile in tiles] == [
        (row, column) for row in range(2) for column in range(4)
    ]
    assert tiles[-1]["box"] == {"x": 96, "y": 32, "width": 64, "height": 64}
    assert max(tile["score"] for tile in tiles) == body["regions"][0]["score"]


def test_only_requested_extras_are_included(client: TestClient, normal_png: bytes) -> None:
    body = client.post(f"{URL}?include=mask", files={"image": normal_png}).json()
    assert body.keys() == FIELDS | {"mask"}


def test_an_unknown_extra_is_refused_with_the_known_ones(client: TestClient, normal_png: bytes) -> None:
    answer = client.post(f"{URL}?include=mask,overlay", files={"image": normal_png})
    assert answer.status_code == 422
    assert answer.json()["code"] == "invalid_request"
    assert "'heatmap', 'mask', 'tiles' or 'evidence'" in answer.json()["detail"]


def test_answers_are_in_pixels_of_the_upload_if_the_model_resizes(client: TestClient, defect_png: bytes) -> None:
    body = client.post("/v1/models/padim/predict?include=mask,tiles", files={"image": defect_png}).json()
    assert body["image"] == {"width": 160, "height": 96}
    assert body["label"] == "anomalous"
    mask = Image.open(io.BytesIO(base64.b64decode(body["mask"])))
    assert mask.size == (160, 96)
    last = body["tiles"]["items"][-1]["box"]
    assert (last["x"] + last["width"], last["y"] + last["height"]) == (160, 96)
