"""The protocol's most used client against a server on loopback."""

from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import numpy as np
import pytest
import tritonclient.http as triton
from numpy.typing import NDArray
from tritonclient.utils import InferenceServerException

from tests.running import Live

ALL = ["score", "raw_score", "label", "threshold", "anomaly_map", "raw_anomaly_map", "mask"]


@pytest.fixture(scope="module")
def server(live_module: Callable[..., Live]) -> Live:
    return live_module()


@pytest.fixture(scope="module")
def client(server: Live) -> Iterator[Any]:
    with triton.InferenceServerClient(server.url.removeprefix("http://"), concurrency=4) as client:
        yield client


def files(*pictures: bytes, binary: bool = True) -> Any:
    tensor = triton.InferInput("image", [len(pictures)], "BYTES")
    tensor.set_data_from_numpy(np.array(pictures, np.object_), binary_data=binary)
    return tensor


def wanted(*names: str, binary: bool = True) -> list[Any]:
    return [triton.InferRequestedOutput(name, binary_data=binary) for name in names]


def test_health_and_readiness(client: Any) -> None:
    assert client.is_server_live() and client.is_server_ready()
    assert client.is_model_ready("patchcore") and client.is_model_ready("patchcore", "1")
    assert not client.is_model_ready("screw") and not client.is_model_ready("patchcore", "7")


def test_metadata(client: Any) -> None:
    server = client.get_server_metadata()
    assert server["name"] == "tessera" and server["extensions"] == ["binary_tensor_data"]
    model = client.get_model_metadata("patchcore")
    assert (model["name"], model["versions"], model["platform"]) == ("patchcore", ["1", "2"], "tessera_patchcore")
    assert model["inputs"] == [{"name": "image", "datatype": "BYTES", "shape": [-1]}]
    assert [output["name"] for output in model["outputs"]] == ALL
    assert client.get_model_metadata("patchcore", "1") == model
    index = client.get_model_repository_index()
    assert [(entry["name"], entry["version"], entry["state"], entry["reason"]) for entry in index] == [
        ("padim", "1", "READY", ""),
        ("patchcore", "1", "READY", ""),
        ("patchcore", "2", "READY", ""),
    ]


def test_metadata_has_the_shapes_and_datatypes_of_answers(client: Any, normal_png: bytes) -> None:
    answer = client.infer("patchcore", [files(normal_png, normal_png)], outputs=wanted(*ALL)).get_response()
    for described, given in zip(client.get_model_metadata("patchcore")["outputs"], answer["outputs"], strict=True):
        assert (described["name"], described["datatype"]) == (given["name"], given["datatype"])
        assert len(described["shape"]) == len(given["shape"]) and given["shape"][0] == 2


@pytest.mark.parametrize("compression", [None, "gzip", "deflate"])
@pytest.mark.parametrize("binary", [True, False])
def test_files_get_the_results_of_v1(
    client: Any, server: Live, defect_png: bytes, normal_png: bytes, compression: str | None, binary: bool
) -> None:
    result = client.infer(
        "patchcore",
        [files(defect_png, normal_png)],
        outputs=wanted(*ALL, binary=binary),
        request_id="part-4711",
        request_compression_algorithm=compression,
        response_compression_algorithm=compression,
    )
    assert result.get_response()["id"] == "part-4711"
    for number, picture in enumerate((defect_png, normal_png)):
        expected = httpx2.post(f"{server.url}/v1/models/patchcore/predict", files={"image": picture}).json()
        label = result.as_numpy("label")[number]
        assert (label.decode() if isinstance(label, bytes) else label) == expected["label"]
        for name in ("score", "raw_score", "threshold"):
            assert result.as_numpy(name)[number] == np.float32(expected[name])
    assert result.as_numpy("anomaly_map").shape == (2, 96, 160)
    assert np.array_equal(result.as_numpy("mask"), result.as_numpy("anomaly_map") > 0.5)


@pytest.mark.parametrize("binary", [True, False])
@pytest.mark.parametrize(
    ("datatype", "dtype", "scale"), [("UINT8", "u1", 1), ("UINT16", "u2", 257), ("FP32", "f4", 1 / 255)]
)
def test_pixels_get_the_score_of_the_file(
    client: Any,
    defect_png: bytes,
    defect_picture: NDArray[np.uint8],
    datatype: str,
    dtype: str,
    scale: float,
    binary: bool,
) -> None:
    pixels = (defect_picture[None] * np.float64(scale)).astype(dtype)
    tensor = triton.InferInput("image", list(pixels.shape), datatype)
    tensor.set_data_from_numpy(pixels, binary_data=binary)
    found = client.infer("patchcore", [tensor], model_version="1").as_numpy("score")
    expected = client.infer("patchcore", [files(defect_png)], model_version="1").as_numpy("score")
    assert np.abs(found - expected).max() < 1e-4


def test_default_outputs_are_the_small_ones(client: Any, normal_png: bytes) -> None:
    outputs = client.infer("patchcore", [files(normal_png)]).get_response()["outputs"]
    assert [output["name"] for output in outputs] == ["score", "raw_score", "label", "threshold"]


def test_concurrent_requests_are_each_answered(client: Any, defect_png: bytes, normal_png: bytes) -> None:
    pending = [client.async_infer("patchcore", [files(defect_png if n % 2 else normal_png)]) for n in range(8)]
    labels = [request.get_result().as_numpy("label")[0] for request in pending]
    assert labels == [b"anomalous" if n % 2 else b"normal" for n in range(8)]


def test_errors_have_their_status_and_name_the_cause(client: Any, normal_png: bytes) -> None:
    def error(call: Callable[[], object]) -> tuple[str, str]:
        with pytest.raises(InferenceServerException) as caught:
            call()
        return caught.value.status(), caught.value.message()

    status, message = error(lambda: client.infer("screw", [files(normal_png)]))
    assert status == "404" and "'screw'" in message
    status, message = error(lambda: client.infer("patchcore", [files(b"text")]))
    assert status == "415" and "not a picture" in message
    status, message = error(lambda: client.infer("patchcore", [files(normal_png)], outputs=wanted("heat")))
    assert status == "422" and "'heat'" in message
    status, message = error(lambda: client.infer("patchcore", [files(normal_png)], timeout=1))
    assert status == "504" and "1e-06 s" in message
    status, _ = error(lambda: client.get_model_config("patchcore"))
    assert status == "404"
    status, _ = error(client.get_inference_statistics)
    assert status == "404"
