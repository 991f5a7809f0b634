"""What is wrong is told in the protocol's form, with the statuses of /v1."""

import gzip
import json
import logging
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from starlette.testclient import TestClient

from app.main import build_app
from app.settings import Settings
from tests.api.test_timeout import Holding
from tests.api.v2.messages import LENGTH, URL, Document, ask, files_input
from tests.interposing import BeforeNetwork
from tests.waiting import wait_until


def told(answer: Any, status: int) -> str:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json" and answer.headers["X-Request-ID"]
    assert list(answer.json()) == ["error"]
    error: str = answer.json()["error"]
    return error


def request(**changes: object) -> Document:
    tensor = {"name": "image", "shape": [1], "datatype": "BYTES", "data": ["aGVsbG8="]} | changes
    return {"inputs": [tensor]}


def test_unknown_models_versions_paths_and_methods(client: TestClient) -> None:
    for path, words in {
        "/v2/models/screw": "there is no model 'screw'",
        "/v2/models/screw/ready": "there is: padim, patchcore",
        "/v2/models/patchcore/versions/7": "has no version 7",
        "/v2/models/patchcore/versions/7/ready": "has no version 7",
        "/v2/models/patchcore/config": "Not Found",
        "/v2/models/stats": "there is no model 'stats'",
        "/v2/nothing": "Not Found",
    }.items():
        assert words in told(client.get(path), 404)
    assert "path.version" in told(client.get("/v2/models/patchcore/versions/newest"), 422)
    answer = client.get(URL)
    assert told(answer, 405) == "Method Not Allowed" and answer.headers["Allow"] == "POST"
    assert told(client.post("/v2/models/screw/infer", json=request()), 404)
    assert told(client.post("/v2/models/patchcore/versions/7/infer", json=request()), 404)


def test_other_paths_keep_their_own_form(client: TestClient) -> None:
    assert client.get("/v22").json()["code"] == "not_found"
    assert client.get("/v1/models/screw").json()["code"] == "model_not_found"


@pytest.mark.parametrize(
    ("length", "body", "words"),
    [
        ("x", b"{}", "give the number of bytes"),
        ("-1", b"{}", "give the number of bytes"),
        ("1e3", b"{}", "give the number of bytes"),
        ("9" * 30, b"{}", "give the number of bytes"),
        ("3", b"{}", "the body has 2 bytes"),
        ("1", b"{}", "is no JSON"),
        (None, b"", "is no JSON"),
        (None, b"\xff\xfe", "is no JSON"),
        (None, b"[" * 100_000, "is no JSON"),
        (None, json.dumps(request()).encode() + b"\0\0\0\0", "says where it ends"),
    ],
)
def test_bodies_that_are_not_what_their_header_says_are_refused(
    client: TestClient, length: str | None, body: bytes, words: str
) -> None:
    headers = {} if length is None else {LENGTH: length}
    assert words in told(client.post(URL, content=body, headers=headers), 400)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ([], "object"),
        ({}, "inputs: Field required"),
        ({"inputs": []}, "inputs: "),
        ({"inputs": request()["inputs"] * 2}, "inputs: "),
        (request(shape=[-1]), "inputs.0.shape.0"),
        (request(shape=[1.5]), "inputs.0.shape.0"),
        (request(shape=["1"]), "inputs.0.shape.0"),
        (request(name="pixels"), "there is no input 'pixels'; the only one is 'image'"),
        (request(datatype="FP16"), "BYTES (a picture's file), UINT8, UINT16, FP32"),
        (request(datatype="FP64", shape=[1, 1, 1]), "datatype 'FP64' is not taken"),
        (request(shape=[1, 2]), "send [n] or [n,1]"),
        (request(shape=[]), "send [n] or [n,1]"),
        (request(shape=[0], data=[]), "there is no picture"),
        (request(shape=[2]), "the data has 1 elements"),
        (request(data=["!!"]), "not base64"),
        (request(data=["é"]), "not base64"),
        (request(data=[5]), "is no text"),
        (request(data=None), "neither data nor a binary_data_size"),
        (request(parameters={"binary_data_size": 9}), "both data and binary data"),
        (request(data=None, parameters={"binary_data_size": 9}), "0 bytes follow the JSON"),
        (request(data=None, parameters={"binary_data_size": "9"}), "binary_data_size is '9'"),
        (request(data=None, parameters={"binary_data_size": True}), "binary_data_size is True"),
        (request(parameters={"white": 255}), "white is for tensors of pixels"),
        (request(parameters={"shared_memory_region": "a"}), "shared memory is not supported"),
        (request() | {"outputs": [{"name": "scores"}]}, "there is no output 'scores'; there is: score, "),
        (request() | {"outputs": [{"name": "score"}, {"name": "score"}]}, "asked for twice"),
        (request() | {"outputs": [{"name": "label", "parameters": {"classification": 2}}]}, "classification"),
        (request() | {"outputs": [{"name": "label", "parameters": {"binary_data": 1}}]}, "binary_data is 1"),
        (request() | {"parameters": {"binary_data_output": "yes"}}, "binary_data_output is 'yes'"),
        (request() | {"parameters": {"sequence_id": 7}}, "sequences are not supported"),
        (request() | {"parameters": {"threshold": 1.5}}, "parameter threshold: "),
        (request() | {"parameters": {"threshold": "0.5"}}, "parameter threshold: "),
        (request() | {"parameters": {"min_region_area": 0}}, "parameter min_region_area: "),
        (request() | {"parameters": {"timeout": 0}}, "timeout is 0; give microseconds"),
        (request() | {"parameters": {"timeout": 1.5}}, "timeout is 1.5; give microseconds"),
        (request() | {"id": 7}, "id: "),
    ],
)
def test_what_cannot_be_asked_is_refused_with_what_can(client: TestClient, body: Document, words: str) -> None:
    assert words in told(client.post(URL, json=body), 422)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"\5\0\0\0hell", "element 0 ends after the binary data"),
        (b"\5\0", "element 0 ends after the binary data"),
        (b"\1\0\0\0a\1\0\0\0b", "goes on after the 1 elements"),
        (b"", "has 0 elements, and the shape tells 1"),
    ],
)
def test_elements_that_do_not_fit_are_refused(client: TestClient, data: bytes, words: str) -> None:
    tensor = {"name": "image", "shape": [1], "datatype": "BYTES", "parameters": {"binary_data_size": len(data)}}
    assert words in told(ask(client, (tensor, data)), 422)


def test_pictures_are_refused_as_by_v1(client: TestClient, normal_png: bytes) -> None:
    assert "not a picture" in told(client.post(URL, json=request()), 415)
    assert "picture is empty" in told(ask(client, files_input([b""])), 422)
    assert "truncated" in told(ask(client, files_input([normal_png[:-20]])), 422)
    assert "at most 100" in told(ask(client, files_input([b"a"] * 101)), 413)
    assert "at most 100" in told(client.post(URL, json=request(shape=[10**30])), 413)


@pytest.mark.parametrize(
    ("encoding", "body", "status", "words"),
    [
        ("br", b"{}", 415, "send gzip, deflate"),
        ("gzip, gzip", b"{}", 415, "send gzip, deflate"),
        ("gzip", b"{}", 400, "is not gzip"),
        ("deflate", b"{}", 400, "is not deflate"),
        ("gzip", gzip.compress(b"{}", mtime=0)[:-9], 400, "cut off"),
        ("gzip", b"", 400, "cut off"),
        ("deflate", zlib.compress(b"{}") + b"x", 400, "goes on"),
        ("gzip", gzip.compress(b"{}", mtime=0) + b"xyz", 400, "is not gzip"),
        ("gzip", gzip.compress(b"{", mtime=0) + gzip.compress(b"}", mtime=0), 422, "inputs: Field required"),
    ],
)
def test_encodings_that_cannot_be_undone_are_refused(
    client: TestClient, encoding: str, body: bytes, status: int, words: str
) -> None:
    assert words in told(client.post(URL, content=body, headers={"Content-Encoding": encoding}), status)


@pytest.fixture(scope="module")
def small(models_dir: Path, until_ready: Callable[[TestClient], None]) -> Iterator[TestClient]:
    """Takes bodies of up to 100,000 bytes and pictures of up to 20,000 pixels."""
    settings = Settings(models_dir=models_dir, device="cpu", max_image_bytes=100_000, max_pixels=20_000)
    with TestClient(build_app(settings)) as client:
        until_ready(client)
        yield client


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_bodies_that_unpack_to_too_much_are_refused(small: TestClient, encoding: str) -> None:
    pack: dict[str, Callable[[bytes], bytes]] = {"gzip": gzip.compress, "deflate": zlib.compress}
    bomb = pack[encoding](bytes(50_000_000))
    assert len(bomb) < 100_000
    answer = small.post(URL, content=bomb, headers={"Content-Encoding": encoding})
    assert "unpacks to more than 100,000 bytes" in told(answer, 413)


def test_bodies_and_pictures_over_the_limits_are_refused(small: TestClient) -> None:
    assert "more than 100,000 bytes" in told(small.post(URL, content=bytes(100_001)), 413)
    tensor = {"name": "image", "shape": [1, 20_001, 1], "datatype": "UINT8", "parameters": {"layout": "HWC"}}
    tensor["parameters"] = {"layout": "HWC", "binary_data_size": 20_001}
    assert "the limit is 20,000" in told(ask(small, (tensor, bytes(20_001))), 413)


def test_shapes_are_checked_before_memory_is_used(client: TestClient) -> None:
    tensor = request(datatype="FP32", shape=[100, 2**20, 2**20, 3], data=[0])
    assert "the data has 1 elements" in told(client.post(URL, json=tensor), 422)


def test_a_timeout_is_kept_whichever_way_it_is_said(live: Callable[..., Any], defect_png: bytes) -> None:
    server = live()
    holding = Holding(server.services.catalogue.get("patchcore").model)
    with httpx2.Client(base_url=server.url) as client:
        ways: list[Document] = [
            {"headers": {"X-Request-Timeout": "0.3"}},
            {"parameters": {"timeout": 300_000}},
            {"parameters": {"timeout": 300_000}, "headers": {"X-Request-Timeout": "60"}},
        ]
        for way in ways:
            answer = ask(client, files_input([defect_png] * 2), **way)  # type: ignore[arg-type]  # posts alike
            assert "within 0.3 s" in told(answer, 504)
        holding.let_go()
        answer = ask(client, files_input([defect_png]), parameters={"timeout": 60_000_000})  # type: ignore[arg-type]  # posts alike
        assert answer.status_code == 200
        wait_until(lambda: server.services.worker.tiles == 0)  # what was given up ends with its batch, maybe later
        refused = ask(client, files_input([defect_png]), headers={"X-Request-Timeout": "soon"})  # type: ignore[arg-type]  # posts alike
        assert "such as 2.5" in told(refused, 422)


def test_unexpected_errors_tell_nothing(
    live: Callable[..., Any], normal_png: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    server = live()

    def fail() -> None:
        hook.remove()
        raise RuntimeError("secret /srv/path")

    hook = BeforeNetwork(server.services.catalogue.get("patchcore").model, fail)
    with httpx2.Client(base_url=server.url) as client, caplog.at_level(logging.ERROR):
        answer = ask(client, files_input([normal_png]))  # type: ignore[arg-type]  # posts alike
    assert "secret" not in told(answer, 500)
    assert "secret /srv/path" in caplog.text
