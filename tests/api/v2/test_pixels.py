"""Tensors of pixels in every layout and datatype that the server accepts."""

import io

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from starlette.testclient import TestClient

from tests.api.v2.messages import URL, ask, files_input, parsed, pixels_input

OUTPUTS = ["raw_score", "raw_anomaly_map"]


def raw_map(client: TestClient, tensor: object) -> NDArray[np.float32]:
    _, found = parsed(ask(client, tensor, OUTPUTS))  # type: ignore[arg-type]  # a tensor of messages.py
    values: NDArray[np.float32] = found["raw_anomaly_map"]
    return values


@pytest.fixture(scope="module")
def expected(client: TestClient, defect_png: bytes) -> NDArray[np.float32]:
    """The raw map of the same picture, sent as a file."""
    return raw_map(client, files_input([defect_png]))


@pytest.mark.parametrize("batched", [True, False])
@pytest.mark.parametrize("channels_first", [True, False])
@pytest.mark.parametrize("dtype", ["u1", "<u2", "<f4"])
def test_every_layout_and_datatype_gives_the_same_map(
    client: TestClient,
    defect_picture: NDArray[np.uint8],
    expected: NDArray[np.float32],
    dtype: str,
    channels_first: bool,
    batched: bool,
) -> None:
    scale = {"u1": 1, "<u2": 257, "<f4": np.float32(1 / 255)}[dtype]
    pixels = (defect_picture.astype(dtype) * scale).astype(dtype)
    pixels = pixels.transpose(2, 0, 1) if channels_first else pixels
    pixels = np.ascontiguousarray(pixels[None] if batched else pixels)
    found = raw_map(client, pixels_input(pixels))
    assert found.shape == (1, 96, 160)
    assert np.abs(found - expected).max() <= (0 if dtype == "u1" else 1e-3 * expected.max())


def test_white_scales_floats(
    client: TestClient, defect_picture: NDArray[np.uint8], expected: NDArray[np.float32]
) -> None:
    found = raw_map(client, pixels_input(defect_picture.astype("<f4"), white=255))
    assert np.abs(found - expected).max() <= 1e-3 * expected.max()


def test_grey_is_accepted_in_every_layout(client: TestClient, defect_picture: NDArray[np.uint8]) -> None:
    grey = np.ascontiguousarray(defect_picture[..., 0])
    file = io.BytesIO()
    Image.fromarray(grey).save(file, "PNG")
    expected = raw_map(client, files_input([file.getvalue()]))
    for pixels in (grey[..., None], grey[None], grey[None, None], grey[None, ..., None]):
        assert np.array_equal(raw_map(client, pixels_input(np.ascontiguousarray(pixels))), expected)


def test_grey_of_16_bits_is_a_16_bit_picture(client: TestClient, defect_picture: NDArray[np.uint8]) -> None:
    grey = defect_picture[..., 0].astype("<u2") * 200
    file = io.BytesIO()
    Image.fromarray(grey).save(file, "PNG")
    assert np.array_equal(raw_map(client, pixels_input(grey[None])), raw_map(client, files_input([file.getvalue()])))


def test_layout_decides_if_both_axes_could_be_the_channels(client: TestClient) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (3, 40, 3), np.uint8)
    refused = ask(client, pixels_input(pixels))
    assert refused.status_code == 422
    assert "both axes" in refused.json()["error"] and "HWC or CHW" in refused.json()["error"]
    assert raw_map(client, pixels_input(pixels, layout="HWC")).shape == (1, 3, 40)
    assert raw_map(client, pixels_input(pixels, layout="CHW")).shape == (1, 40, 3)


@pytest.mark.parametrize("nested", [True, False])
@pytest.mark.parametrize("datatype", ["UINT8", "FP32"])
def test_numbers_in_json_give_the_same_map(
    client: TestClient,
    defect_picture: NDArray[np.uint8],
    expected: NDArray[np.float32],
    datatype: str,
    nested: bool,
) -> None:
    pixels = defect_picture if datatype == "UINT8" else defect_picture / 255
    data = pixels.tolist() if nested else pixels.reshape(-1).tolist()
    tensor = {"name": "image", "shape": [96, 160, 3], "datatype": datatype, "data": data}
    outputs = [{"name": "raw_anomaly_map", "parameters": {"binary_data": True}}]
    answer = client.post(URL, json={"inputs": [tensor], "outputs": outputs})
    _, found = parsed(answer)
    assert np.abs(found["raw_anomaly_map"] - expected).max() <= (0 if datatype == "UINT8" else 1e-3 * expected.max())


def floats(value: float) -> NDArray[np.float32]:
    pixels = np.full((8, 9, 3), 0.5, "<f4")
    pixels[4, 5, 1] = value
    return pixels


@pytest.mark.parametrize(
    ("pixels", "parameters", "words"),
    [
        (floats(np.nan), {}, "finite"),
        (floats(np.inf), {}, "finite"),
        (floats(-0.01), {}, "-0.01 to 0.5"),
        (floats(255), {}, "[0, 1]"),
        (floats(255.5), {"white": 255}, "[0, 255]"),
        (floats(1), {"white": 0}, "white is 0"),
        (floats(1), {"white": -1}, "white is -1"),
        (floats(1), {"white": "255"}, "white is '255'"),
        (floats(1), {"white": True}, "white is True"),
        (floats(1), {"layout": "NHWC"}, "layout 'NHWC'"),
        (floats(1), {"layout": 3}, "layout 3"),
        (floats(1), {"layout": "CHW"}, "8 channels"),
        (np.zeros((8, 9), np.uint8), {}, "[8, 9]"),
        (np.zeros((8, 9, 4), np.uint8), {}, "no axis"),
        (np.zeros((1, 1, 8, 9, 3), np.uint8), {}, "[1, 1, 8, 9, 3]"),
        (np.zeros((0, 8, 9, 3), np.uint8), {}, "no picture"),
        (np.zeros((0, 9, 3), np.uint8), {}, "no pixels"),
        (np.zeros((8, 9, 3), np.uint8), {"white": 255}, "white is for FP32"),
        (np.zeros((8, 9, 3), np.uint8), {"binary_data_size": 215}, "binary_data_size is 215"),
    ],
)
def test_invalid_tensors_of_pixels_are_refused(
    client: TestClient, pixels: NDArray[np.uint8], parameters: dict[str, object], words: str
) -> None:
    answer = ask(client, pixels_input(pixels, **parameters))
    assert answer.status_code == 422 and list(answer.json()) == ["error"]
    assert words in answer.json()["error"]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ([1, 2, 3], "3 elements"),
        ([[[1, 2, 3]], [[1, 2]]], "not nested"),
        ([[[1, 2, 3], [1, 2, 3]]], "not nested"),
        ([[1, 2, 3], [1, 2, 3]], "not nested"),
        ([[[[1]], [[2]], [[3]]]], "not nested"),
        ([1, 2, [3], 4, 5, 6], "whole numbers"),
        ([1, 2, 3, 4, 5, 256], "cannot hold"),
        ([1, 2, 3, 4, 5, -1], "cannot hold"),
        ([1, 2, 3, 4, 5, 6.5], "whole numbers"),
        ([1, 2, 3, 4, 5, True], "whole numbers"),
        ([1, 2, 3, 4, 5, "6"], "whole numbers"),
        ([1, 2, 3, 4, 5, None], "whole numbers"),
        ([], "0 elements"),
    ],
)
def test_json_data_that_contradicts_shape_or_datatype_is_refused(
    client: TestClient, data: list[object], words: str
) -> None:
    tensor = {"name": "image", "shape": [2, 1, 3], "datatype": "UINT8", "data": data, "parameters": {"layout": "HWC"}}
    answer = client.post(URL, json={"inputs": [tensor]})
    assert answer.status_code == 422 and words in answer.json()["error"], answer.json()


@pytest.mark.parametrize("literal", ["NaN", "1e999", "1e300", "-Infinity"])
def test_numbers_that_are_not_finite_in_float32_are_refused(client: TestClient, literal: str) -> None:
    tensor = '{"name":"image","shape":[1,2,3],"datatype":"FP32","parameters":{"layout":"HWC"},"data":[0,0,0,0,0,%s]}'
    answer = client.post(URL, content='{"inputs":[%s]}' % (tensor % literal))
    assert answer.status_code in (400, 422) and list(answer.json()) == ["error"]
