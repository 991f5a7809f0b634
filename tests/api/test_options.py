"""Query parameters of predictions: threshold, area of regions, drawing, and region of interest."""

import base64
import io
import re
from contextlib import ExitStack
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from starlette.testclient import TestClient

URL = "/v1/models/patchcore"


def predict(client: TestClient, data: bytes, query: str = "") -> dict[str, Any]:
    answer = client.post(f"{URL}/predict?{query}", files={"image": data})
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def picture(data: bytes) -> NDArray[np.uint8]:
    return np.asarray(Image.open(io.BytesIO(data)))


def normalised_map(client: TestClient, data: bytes) -> NDArray[np.float32]:
    answer = client.post(f"{URL}/anomaly-map?normalised=true", files={"image": data})
    values: NDArray[np.float32] = np.load(io.BytesIO(answer.content))
    return values


def test_the_requested_threshold_decides_the_label(client: TestClient, normal_png: bytes) -> None:
    score = predict(client, normal_png)["score"]
    assert 0 < score < 1
    for threshold, label in ((score, "normal"), (score - 0.01, "anomalous"), (1, "normal"), (0, "anomalous")):
        body = predict(client, normal_png, f"threshold={threshold}")
        assert (body["threshold"], body["label"], body["score"]) == (threshold, label, score)


@pytest.mark.parametrize("threshold", [0, 0.3, 0.5, 0.7, 1])
def test_the_requested_threshold_decides_mask_and_regions(
    client: TestClient, defect_png: bytes, threshold: float
) -> None:
    body = predict(client, defect_png, f"threshold={threshold}&include=mask")
    expected = normalised_map(client, defect_png) > threshold
    mask = picture(base64.b64decode(body["mask"])) > 0
    assert np.mean(mask != expected) < 1e-3  # pixels that equal the threshold in float32
    assert sum(region["area"] for region in body["regions"]) == mask.sum()
    assert all(threshold < region["score"] <= 1 for region in body["regions"])


def test_a_threshold_of_one_half_equals_the_default(client: TestClient, defect_png: bytes) -> None:
    explicit, default = predict(client, defect_png, "threshold=0.5"), predict(client, defect_png)
    assert {**explicit, "timing_ms": None} == {**default, "timing_ms": None}


def test_small_regions_are_left_out_everywhere(client: TestClient, defect_png: bytes) -> None:
    areas = sorted(region["area"] for region in predict(client, defect_png, "threshold=0.4")["regions"])
    assert len(areas) > 1
    least = areas[0] + 1
    body = predict(client, defect_png, f"threshold=0.4&min_region_area={least}&include=mask")
    left = [area for area in areas if area >= least]
    assert sorted(region["area"] for region in body["regions"]) == left
    assert np.count_nonzero(picture(base64.b64decode(body["mask"]))) == sum(left)
    assert body["label"] == "anomalous"
    mask = client.post(f"{URL}/heatmap?style=mask&threshold=0.4&min_region_area={least}", files={"image": defect_png})
    assert np.count_nonzero(picture(mask.content)) == sum(left)


def test_opacity_blends_the_picture_with_the_colours(
    client: TestClient, defect_png: bytes, defect_picture: NDArray[np.uint8]
) -> None:
    url = f"{URL}/heatmap?min_region_area=2147483647"  # no frames
    bare, usual, full = (
        picture(client.post(f"{url}&opacity={opacity}", files={"image": defect_png}).content).astype(int)
        for opacity in (0, 0.5, 1)
    )
    np.testing.assert_array_equal(bare, defect_picture)
    assert np.abs(usual - bare).sum() < np.abs(full - bare).sum()


@pytest.mark.parametrize("name", ["ember", "viridis", "cividis", "grey"])
def test_colour_maps_are_drawn_by_name(client: TestClient, defect_png: bytes, name: str) -> None:
    drawn = client.post(f"{URL}/heatmap?style=heatmap&colormap={name}", files={"image": defect_png}).content
    body = predict(client, defect_png, f"include=heatmap&colormap={name}")
    np.testing.assert_array_equal(picture(base64.b64decode(body["heatmap"])), picture(drawn))
    usual = client.post(f"{URL}/heatmap?style=heatmap", files={"image": defect_png}).content
    assert np.array_equal(picture(drawn), picture(usual)) == (name == "ember")


@pytest.mark.parametrize("route", ["heatmap", "anomaly-map"])
def test_headers_of_files_hold_the_model_and_the_result(client: TestClient, defect_png: bytes, route: str) -> None:
    headers = client.post(f"{URL}/{route}?threshold=0.25", files={"image": defect_png}).headers
    body = predict(client, defect_png, "threshold=0.25")
    assert headers["tessera-model"] == body["model"]["name"]
    assert int(headers["tessera-model-version"]) == body["model"]["version"]
    assert headers["tessera-model-digest"] == body["model"]["digest"]
    assert float(headers["tessera-score"]) == body["score"]
    assert headers["tessera-label"] == body["label"]
    assert float(headers["tessera-threshold"]) == 0.25
    assert headers["tessera-notes"] == ""
    described = client.get("/openapi.json").json()["paths"][f"/v1/models/{{model}}/{route}"]["post"]["responses"]
    assert described["200"]["headers"].keys() - {"X-Request-ID", "Tessera-Partial"} == {
        f"Tessera-{name}" for name in ("Model", "Model-Version", "Model-Digest", "Score", "Label", "Threshold", "Notes")
    }


@pytest.mark.parametrize(
    ("query", "field", "allowed"),
    [
        ("threshold=1.01", "query.threshold", "less than or equal to 1"),
        ("threshold=-0.1", "query.threshold", "greater than or equal to 0"),
        ("threshold=nan", "query.threshold", ""),
        ("threshold=high", "query.threshold", "number"),
        ("min_region_area=0", "query.min_region_area", "greater than or equal to 1"),
        ("min_region_area=2.5", "query.min_region_area", "integer"),
        ("opacity=2", "query.opacity", "less than or equal to 1"),
        ("colormap=jet", "query.colormap", "'ember', 'viridis', 'cividis' or 'grey'"),
    ],
)
@pytest.mark.parametrize("route", ["predict", "heatmap"])
def test_invalid_values_are_refused_with_the_field_and_the_allowed_values(
    client: TestClient, normal_png: bytes, route: str, query: str, field: str, allowed: str
) -> None:
    answer = client.post(f"{URL}/{route}?{query}", files={"image": normal_png})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    error = answer.json()["errors"][0]
    assert error["field"] == field and allowed in error["message"]


ROI = {"x": 20, "y": 8, "width": 60, "height": 40}
ROI_QUERY = "roi=20,8,60,40"


def test_a_region_has_the_values_of_the_whole_picture(client: TestClient, defect_png: bytes) -> None:
    whole = normalised_map(client, defect_png)
    answer = client.post(f"{URL}/anomaly-map?normalised=true&{ROI_QUERY}", files={"image": defect_png})
    found = np.load(io.BytesIO(answer.content))
    np.testing.assert_allclose(found, whole[8:48, 20:80], atol=1e-5)
    body = predict(client, defect_png, f"{ROI_QUERY}&threshold=0.4&include=mask,heatmap,tiles")
    assert body["roi"] == ROI and predict(client, defect_png)["image"] == body["image"]
    mask = picture(base64.b64decode(body["mask"])) > 0
    assert mask.shape == (40, 60) and np.mean(mask != (whole[8:48, 20:80] > 0.4)) < 1e-3
    assert picture(base64.b64decode(body["heatmap"])).shape == (40, 60, 3)
    for region in body["regions"]:  # in pixels of the whole picture
        y, x = region["peak"]["y"], region["peak"]["x"]
        assert whole[y, x] == pytest.approx(region["score"], abs=1e-5)
        box = region["box"]
        assert 20 <= box["x"] < box["x"] + box["width"] <= 80 and 8 <= box["y"] < box["y"] + box["height"] <= 48


def test_a_region_is_drawn_like_that_part_of_the_whole_picture(
    client: TestClient, defect_png: bytes, defect_picture: NDArray[np.uint8]
) -> None:
    url = f"{URL}/heatmap?min_region_area=2147483647"
    whole, found = (
        picture(client.post(f"{url}{more}", files={"image": defect_png}).content) for more in ("", f"&{ROI_QUERY}")
    )
    assert np.abs(found.astype(int) - whole[8:48, 20:80].astype(int)).max() <= 2  # the maps differ by 1e-6
    bare = client.post(f"{url}&opacity=0&roi=20&roi=8&roi=60&roi=40", files={"image": defect_png}).content
    np.testing.assert_array_equal(picture(bare), defect_picture[8:48, 20:80])


def test_frames_have_the_same_places_in_a_region_and_in_the_whole_picture(
    client: TestClient, defect_png: bytes
) -> None:
    box = predict(client, defect_png)["regions"][0]["box"]
    x, y = max(box["x"] - 6, 0), max(box["y"] - 6, 0)
    roi = f"roi={x},{y},{box['width'] + 6},{box['height'] + 6}"
    whole, found = (
        picture(client.post(f"{URL}/heatmap{query}", files={"image": defect_png}).content) for query in ("", f"?{roi}")
    )
    part = whole[y:, x:][: found.shape[0], : found.shape[1]]
    assert np.mean(np.abs(found.astype(int) - part.astype(int)) > 2) < 0.1  # a part of a frame may lie outside


def test_tiles_around_a_region_are_computed_and_not_listed(client: TestClient, defect_png: bytes) -> None:
    tiles = predict(client, defect_png, "include=tiles&roi=0,0,10,10")["tiles"]
    assert tiles["rows"] * tiles["columns"] == tiles["count"] < 8
    assert [(tile["row"], tile["column"], tile["box"]) for tile in tiles["items"]] == [
        (0, 0, {"x": 0, "y": 0, "width": 10, "height": 10})
    ]


def test_only_the_tiles_of_a_region_are_queued_and_computed(client: TestClient, defect_png: bytes) -> None:
    def tiles() -> float:
        return float(re.search(r"^tessera_tiles_total (\S+)", client.get("/metrics").text, re.M)[1])  # type: ignore[index]  # else the test fails

    before = tiles()
    count = predict(client, defect_png, "roi=0,0,10,10")["tiles"]["count"]
    assert count < predict(client, defect_png)["tiles"]["count"] == 8
    assert tiles() - before == count + 8
    worker = client.app.state.services.worker  # type: ignore[attr-defined]  # starlette types the application as any ASGI
    with ExitStack() as stack:
        for _ in range(4096 - count):  # `queue_tiles`
            stack.enter_context(worker.admit(1))
        predict(client, defect_png, "roi=0,0,10,10")
        assert client.post(f"{URL}/predict", files={"image": defect_png}).status_code == 429


@pytest.mark.parametrize(
    ("roi", "code", "values"),
    [
        ("20,8,60", "invalid_request", ("query.roi: ", "x,y,width,height", "3")),
        ("20,8,60,40,1", "invalid_request", ("query.roi: ", "x,y,width,height", "5")),
        ("20,8,wide,40", "invalid_request", ("query.roi.2: ", "integer")),
        ("-1,8,60,40", "invalid_request", ("query.roi.0: ", "greater than or equal to 0")),
        ("20,8,0,40", "invalid_region", ("x=20, y=8, width=0, height=40", "no rectangle")),
        ("20,8,150,40", "invalid_region", ("x=20, y=8, width=150, height=40", "160 x 96")),
    ],
)
def test_an_invalid_region_is_refused(
    client: TestClient, defect_png: bytes, roi: str, code: str, values: tuple[str, ...]
) -> None:
    for route in ("predict", "heatmap", "anomaly-map"):
        answer = client.post(f"{URL}/{route}?roi={roi}", files={"image": defect_png})
        assert (answer.status_code, answer.json()["code"]) == (422, code)
        assert all(value in answer.json()["detail"] for value in values)
