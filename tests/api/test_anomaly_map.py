import io

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from starlette.testclient import TestClient

from app.scoring import Calibration

URL = "/v1/models/patchcore/anomaly-map"


def fetch(client: TestClient, data: bytes, query: str, media_type: str) -> bytes:
    answer = client.post(f"{URL}?{query}", files={"image": data})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == media_type
    return answer.content


def npy(client: TestClient, data: bytes, query: str = "") -> NDArray[np.float32]:
    array: NDArray[np.float32] = np.load(io.BytesIO(fetch(client, data, query, "application/x-npy")))
    assert array.dtype == np.float32 and array.shape == (96, 160)
    return array


def calibration(client: TestClient) -> Calibration:
    record = client.get("/v1/models/patchcore").json()["versions"][-1]["details"]["calibration"]
    threshold = record["pixel_threshold"]
    return Calibration(0, 0, 1, threshold, 0, 2 * threshold)


def test_map_holds_distances_by_default(client: TestClient, defect_png: bytes) -> None:
    values = npy(client, defect_png)
    row, column = np.unravel_index(values.argmax(), values.shape)
    assert 40 <= row < 56 and 100 <= column < 124
    assert values.max() > calibration(client).pixel_threshold


def test_normalised_map_has_the_threshold_at_one_half(client: TestClient, defect_png: bytes) -> None:
    raw, normalised = npy(client, defect_png, "normalised=false"), npy(client, defect_png, "normalised=true")
    threshold = calibration(client).pixel_threshold
    np.testing.assert_allclose(normalised, np.clip((raw - threshold) / (2 * threshold) + 0.5, 0, 1), atol=1e-5)


def test_tiff_holds_the_same_values(client: TestClient, defect_png: bytes) -> None:
    tiff = np.asarray(Image.open(io.BytesIO(fetch(client, defect_png, "format=tiff", "image/tiff"))))
    np.testing.assert_array_equal(tiff, npy(client, defect_png))


@pytest.mark.parametrize("query", ["format=png16", "format=png16&normalised=true"])
def test_png_is_normalised(client: TestClient, defect_png: bytes, query: str) -> None:
    png = np.asarray(Image.open(io.BytesIO(fetch(client, defect_png, query, "image/png"))))
    np.testing.assert_allclose(png / 65535, npy(client, defect_png, "normalised=true"), atol=1e-5)


def test_png_of_distances_is_refused_and_the_formats_that_work_are_named(client: TestClient, defect_png: bytes) -> None:
    answer = client.post(f"{URL}?format=png16&normalised=false", files={"image": defect_png})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert all(works in answer.json()["detail"] for works in ("format=npy", "format=tiff"))


def test_version_can_be_chosen(client: TestClient, defect_png: bytes) -> None:
    assert not np.array_equal(npy(client, defect_png, "version=1"), npy(client, defect_png, "version=2"))
    assert client.post(f"{URL}?version=9", files={"image": defect_png}).status_code == 404
