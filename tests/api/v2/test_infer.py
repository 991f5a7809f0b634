import base64
import gzip
import io
import json
import zlib
from collections.abc import Callable
from typing import Any

import httpx2
import numpy as np
import pytest
from fastapi import HTTPException
from numpy.typing import NDArray
from PIL import Image
from starlette.testclient import TestClient

from app.api.v2.outputs import RequestedOutput, check_sizes
from tests.api.v2.messages import LENGTH, URL, Document, ask, files_input, parsed, pixels_input
from tests.conftest import draw_surface

V1 = "/v1/models/patchcore"
MAPS = ["anomaly_map", "raw_anomaly_map", "mask"]


def v1_map(client: TestClient, png: bytes, normalised: bool) -> NDArray[np.float32]:
    query = f"normalised={str(normalised).lower()}"
    found: NDArray[np.float32] = np.load(
        io.BytesIO(client.post(f"{V1}/anomaly-map?{query}", files={"image": png}).content)
    )
    return found


def in_json(png: bytes) -> Document:
    data = [base64.b64encode(png).decode()]
    return {"inputs": [{"name": "image", "shape": [1], "datatype": "BYTES", "data": data}]}


def test_outputs_in_json_equal_those_of_v1(client: TestClient, defect_png: bytes) -> None:
    expected = client.post(f"{V1}/predict", files={"image": defect_png}).json()
    answer = client.post(URL, json=in_json(defect_png) | {"id": "part-4711"})
    assert answer.headers["content-type"] == "application/json" and LENGTH not in answer.headers
    body, found = parsed(answer)
    assert (body["model_name"], body["model_version"], body["id"]) == ("patchcore", "2", "part-4711")
    assert list(found) == ["score", "raw_score", "label", "threshold"]
    for name in ("score", "raw_score", "threshold"):
        assert found[name].shape == (1,) and found[name][0] == np.float32(expected[name])
    assert found["label"].tolist() == [expected["label"]] == ["anomalous"]


def test_an_answer_has_no_id_if_the_request_has_none(client: TestClient, normal_png: bytes) -> None:
    assert "id" not in client.post(URL, json=in_json(normal_png)).json()


def test_maps_equal_those_of_v1(client: TestClient, defect_png: bytes) -> None:
    body, found = parsed(ask(client, files_input([defect_png]), MAPS))
    assert [output["datatype"] for output in body["outputs"]] == ["FP32", "FP32", "BOOL"]
    assert np.array_equal(found["anomaly_map"][0], v1_map(client, defect_png, normalised=True))
    assert np.array_equal(found["raw_anomaly_map"][0], v1_map(client, defect_png, normalised=False))
    assert np.array_equal(found["mask"], found["anomaly_map"] > 0.5)
    assert found["mask"].any()


def test_maps_in_json_equal_those_in_binary(client: TestClient, defect_png: bytes) -> None:
    _, binary = parsed(ask(client, files_input([defect_png]), MAPS))
    answer = client.post(URL, json=in_json(defect_png) | {"outputs": [{"name": name} for name in MAPS]})
    _, text = parsed(answer)
    for name in MAPS:
        assert np.array_equal(text[name].astype(binary[name].dtype), binary[name])


def test_each_output_may_be_json_or_binary(client: TestClient, normal_png: bytes) -> None:
    outputs = [{"name": "label"}, {"name": "score", "parameters": {"binary_data": False}}, {"name": "raw_score"}]
    request = in_json(normal_png) | {"outputs": outputs, "parameters": {"binary_data_output": True}}
    body, found = parsed(client.post(URL, json=request))
    assert [("data" in output) for output in body["outputs"]] == [False, True, False]
    assert found["label"].tolist() == ["normal"]


def test_pictures_of_one_request_are_answered_in_their_order(
    client: TestClient, defect_png: bytes, normal_png: bytes
) -> None:
    files = [normal_png, defect_png, normal_png, defect_png, normal_png, normal_png, defect_png]
    for shape in ([7], [7, 1]):
        _, found = parsed(ask(client, files_input(files, shape), ["label", "anomaly_map"]))
        assert found["label"].tolist() == ["anomalous" if file is defect_png else "normal" for file in files]
        assert found["anomaly_map"].shape == (7, 96, 160)
        assert np.array_equal(found["anomaly_map"][1], found["anomaly_map"][6])


def test_a_version_may_be_named(client: TestClient, normal_png: bytes) -> None:
    answer = ask(client, files_input([normal_png]), url="/v2/models/patchcore/versions/1/infer")
    assert parsed(answer)[0]["model_version"] == "1"


def test_a_file_alone_is_a_raw_binary_request(client: TestClient, defect_png: bytes) -> None:
    answer = client.post(URL, content=defect_png, headers={LENGTH: "0"})
    assert answer.headers["content-type"] == "application/octet-stream"
    _, found = parsed(answer)
    assert found["label"].tolist() == ["anomalous"] and found["score"][0] > 0.5


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "identity"])
def test_compressed_requests_are_unpacked(client: TestClient, defect_png: bytes, encoding: str) -> None:
    text = json.dumps(in_json(defect_png)).encode()
    pack: dict[str, Callable[[bytes], bytes]] = {"gzip": gzip.compress, "deflate": zlib.compress, "identity": bytes}
    answer = client.post(URL, content=pack[encoding](text), headers={"Content-Encoding": encoding})
    assert answer.json()["outputs"][2]["data"] == ["anomalous"]


@pytest.mark.parametrize(("accepted", "encoding"), [("gzip", "gzip"), ("deflate", "deflate"), ("br, gzip;q=0", None)])
def test_answers_are_compressed_as_the_client_accepts(
    client: TestClient, defect_png: bytes, accepted: str, encoding: str | None
) -> None:
    plain = parsed(ask(client, files_input([defect_png]), MAPS, headers={"Accept-Encoding": "identity"}))
    answer = ask(client, files_input([defect_png]), MAPS, headers={"Accept-Encoding": accepted})
    assert answer.headers.get("Content-Encoding") == encoding
    assert answer.headers["Vary"] == "Accept-Encoding"
    found = parsed(answer)  # the client has unpacked it; the header's length is that of the unpacked JSON
    assert found[0] == plain[0] and all(np.array_equal(found[1][name], plain[1][name]) for name in MAPS)


@pytest.mark.parametrize("accepted", ["identity", "gzip", "deflate"])
def test_json_is_compressed_once_and_varies_by_accept_encoding(
    client: TestClient, defect_png: bytes, accepted: str
) -> None:
    request = in_json(defect_png) | {"outputs": [{"name": "anomaly_map"}]}
    answer = client.post(URL, json=request, headers={"Accept-Encoding": accepted})
    assert answer.headers.get("Content-Encoding", "identity") == accepted
    assert answer.headers["Vary"] == "Accept-Encoding"
    assert parsed(answer)[1]["anomaly_map"].shape == (1, 96, 160)


def test_small_answers_are_not_compressed(client: TestClient, normal_png: bytes) -> None:
    answer = ask(client, files_input([normal_png]), headers={"Accept-Encoding": "gzip"})
    assert "Content-Encoding" not in answer.headers


def test_maps_of_pictures_of_several_sizes_are_refused(
    client: TestClient, normal_png: bytes, defect_png: bytes
) -> None:
    surface = draw_surface(3, 70, 80)
    file = io.BytesIO()
    Image.fromarray(surface).save(file, "PNG")
    files = [normal_png, file.getvalue()]
    answer = ask(client, files_input(files), ["anomaly_map"])
    assert answer.status_code == 422
    assert all(size in answer.json()["error"] for size in ("80 x 70", "160 x 96"))
    _, found = parsed(ask(client, files_input(files), ["label"]))
    assert found["label"].shape == (2,)


def test_the_first_bad_picture_is_named_and_no_tile_stays_queued(client: TestClient, normal_png: bytes) -> None:
    worker = client.app.state.services.worker  # type: ignore[attr-defined]  # starlette types it as any ASGI application
    answer = ask(client, files_input([normal_png, normal_png, normal_png[:-30]]))
    assert answer.status_code == 422 and answer.json()["error"].startswith("picture 2 of 3: ")
    answer = ask(client, files_input([normal_png, b"%PDF-1.7"]))
    assert answer.status_code == 415 and answer.json()["error"].startswith("picture 1 of 2: ")
    assert worker.tiles == 0


def test_a_request_waits_for_a_queue_that_only_its_own_pictures_fill(
    live: Callable[..., Any], defect_png: bytes
) -> None:
    server = live(queue_tiles=12)  # one and a half pictures
    with httpx2.Client(base_url=server.url) as client:
        _, found = parsed(ask(client, files_input([defect_png] * 6), ["label"]))  # type: ignore[arg-type]  # same post()
        assert found["label"].tolist() == ["anomalous"] * 6
        with server.services.worker.admit(12):
            answer = ask(client, files_input([defect_png] * 2))  # type: ignore[arg-type]  # same post()
            assert answer.status_code == 429 and int(answer.headers["Retry-After"]) >= 1
            assert "error" in answer.json()
    assert server.services.worker.tiles == 0


def test_pixels_and_file_agree(client: TestClient, defect_png: bytes, defect_picture: NDArray[np.uint8]) -> None:
    _, file = parsed(ask(client, files_input([defect_png]), ["raw_score", "raw_anomaly_map"]))
    _, found = parsed(ask(client, pixels_input(defect_picture), ["raw_score", "raw_anomaly_map"]))
    assert np.array_equal(found["raw_anomaly_map"], file["raw_anomaly_map"]) and found["raw_score"] == file["raw_score"]


def test_threshold_and_area_mean_the_same_as_on_v1(client: TestClient, defect_png: bytes) -> None:
    _, found = parsed(ask(client, files_input([defect_png]), ["anomaly_map", "mask"]))
    limits = {"threshold": 0.99, "min_region_area": 10**6}
    expected = client.post(f"{V1}/predict", params=limits, files={"image": defect_png}).json()
    names = ["label", "threshold", "score", "anomaly_map", "mask"]
    _, strict = parsed(ask(client, files_input([defect_png]), names, parameters=limits))
    assert strict["label"].tolist() == [expected["label"]] and strict["threshold"][0] == np.float32(0.99)
    assert strict["score"][0] == np.float32(expected["score"])
    assert found["mask"].any() and not strict["mask"].any()
    assert np.array_equal(strict["anomaly_map"], found["anomaly_map"])


@pytest.mark.parametrize("roi", ["20,8,60,40", [20, 8, 60, 40]])
def test_a_region_means_the_same_as_on_v1(client: TestClient, defect_png: bytes, roi: Any) -> None:
    expected = client.post(f"{V1}/anomaly-map?normalised=true&roi=20,8,60,40", files={"image": defect_png}).content
    parameters = {"roi": roi, "threshold": 0.4}
    _, found = parsed(ask(client, files_input([defect_png] * 2), ["anomaly_map", "mask"], parameters=parameters))
    assert found["anomaly_map"].shape == found["mask"].shape == (2, 40, 60)
    np.testing.assert_allclose(found["anomaly_map"][1], np.load(io.BytesIO(expected)), atol=1e-6)


def test_an_invalid_region_is_refused_with_the_parameter_or_the_picture(client: TestClient, defect_png: bytes) -> None:
    for roi, words in (("20,8,60", "parameter roi: "), ("155,0,9,9", "picture 0 of 2: ")):
        answer = ask(client, files_input([defect_png] * 2), parameters={"roi": roi})
        assert answer.status_code == 422 and words in answer.json()["error"]


def test_unknown_parameters_are_ignored(client: TestClient, normal_png: bytes) -> None:
    plain = ask(client, files_input([normal_png]))
    parameters = {"content_type": "np", "priority": 3, "more": {"a": [1]}}
    assert ask(client, files_input([normal_png]), parameters=parameters).content == plain.content


def test_maps_that_are_too_large_are_refused_by_the_sizes_of_their_pictures() -> None:
    for binary, sizes, words in (
        (True, [(8192, 8192)] * 2, "285,212,672"),
        (False, [(1024, 1024)] * 3, "2,097,152"),
    ):
        with pytest.raises(HTTPException) as caught:
            check_sizes(sizes, [RequestedOutput("anomaly_map", binary)])
        assert caught.value.status_code == 413 and words in caught.value.detail
    check_sizes([(8192, 8192)], [RequestedOutput("anomaly_map", True)])
    check_sizes([(1024, 1024)] * 2, [RequestedOutput("mask", False)])
    check_sizes([(8192, 8192), (7, 9)], [RequestedOutput("score", False)])
