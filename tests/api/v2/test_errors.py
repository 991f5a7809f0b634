"""Errors have the protocol's form and the statuses of /v1."""

import gzip
import json
import logging
import re
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from starlette.testclient import TestClient

from app.application import build_app
from app.settings import Settings
from tests.api.test_timeout import Holding
from tests.api.v2.messages import LENGTH, URL, Document, ask, files_input
from tests.interposing import BeforeNetwork
from tests.waiting import wait_until


def error_of(answer: Any, status: int) -> str:
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
        "/v2/models/screw": "no model 'screw'",
        "/v2/models/screw/ready": "padim, patchcore",
        "/v2/models/patchcore/versions/7": "no version 7",
        "/v2/models/patchcore/versions/7/ready": "no version 7",
        "/v2/models/patchcore/config": "Not Found",
        "/v2/models/stats": "no model 'stats'",
        "/v2/nothing": "Not Found",
    }.items():
        assert words in error_of(client.get(path), 404)
    assert "path.version" in error_of(client.get("/v2/models/patchcore/versions/newest"), 422)
    answer = client.get(URL)
    assert error_of(answer, 405) == "this path does not take GET; it takes POST" and answer.headers["Allow"] == "POST"
    assert error_of(client.post("/v2/models/screw/infer", json=request()), 404)
    assert error_of(client.post("/v2/models/patchcore/versions/7/infer", json=request()), 404)


def test_errors_of_other_paths_have_the_form_of_v1(client: TestClient) -> None:
    assert client.get("/v22").json()["code"] == "not_found"
    assert client.get("/v1/models/screw").json()["code"] == "model_not_found"


@pytest.mark.parametrize(
    ("length", "body", "words"),
    [
        ("x", b"{}", f"{LENGTH} is 'x'"),
        ("-1", b"{}", f"{LENGTH} is '-1'"),
        ("1e3", b"{}", f"{LENGTH} is '1e3'"),
        ("9" * 30, b"{}", f"{LENGTH} is '{'9' * 30}'"),
        ("3", b"{}", "2 bytes"),
        ("1", b"{}", "not JSON"),
        (None, b"", "not JSON"),
        (None, b"\xff\xfe", "not JSON"),
        (None, b"[" * 100_000, "not JSON"),
        (None, json.dumps(request()).encode() + b"\0\0\0\0", LENGTH),
    ],
)
def test_bodies_that_contradict_their_header_are_refused(
    client: TestClient, length: str | None, body: bytes, words: str
) -> None:
    headers = {} if length is None else {LENGTH: length}
    assert words in error_of(client.post(URL, content=body, headers=headers), 400)


@pytest.mark.parametrize(
    ("body", "pattern"),
    [
        ([], "object"),
        ({}, "inputs: Field required"),
        ({"inputs": []}, "inputs: "),
        ({"inputs": request()["inputs"] * 2}, "inputs: "),
        (request(shape=[-1]), "inputs.0.shape.0"),
        (request(shape=[1.5]), "inputs.0.shape.0"),
        (request(shape=["1"]), "inputs.0.shape.0"),
        (request(name="pixels"), "'pixels'.*'image'"),
        (request(datatype="FP16"), "'FP16'.*BYTES.*UINT8, UINT16, FP32"),
        (request(datatype="FP64", shape=[1, 1, 1]), "'FP64'"),
        (request(shape=[1, 2]), r"\[1, 2\].*\[n\] or \[n,1\]"),
        (request(shape=[]), r"\[\].*\[n\] or \[n,1\]"),
        (request(shape=[0], data=[]), "no picture"),
        (request(shape=[2]), r"1 elements.*\[2\]"),
        (request(data=["!!"]), "not base64"),
        (request(data=["é"]), "not base64"),
        (request(data=[5]), "not a string"),
        (request(data=None), "neither.*binary_data_size"),
        (request(parameters={"binary_data_size": 9}), "both"),
        (request(data=None, parameters={"binary_data_size": 9}), "binary_data_size is 9.* 0 bytes"),
        (request(data=None, parameters={"binary_data_size": "9"}), "binary_data_size is '9'"),
        (request(data=None, parameters={"binary_data_size": True}), "binary_data_size is True"),
        (request(parameters={"white": 255}), "white .*pixels"),
        (request(parameters={"shared_memory_region": "a"}), "shared memory"),
        (request() | {"outputs": [{"name": "scores"}]}, "'scores'.* score, "),
        (request() | {"outputs": [{"name": "score"}, {"name": "score"}]}, "'score'.*twice"),
        (request() | {"outputs": [{"name": "label", "parameters": {"classification": 2}}]}, "classification"),
        (request() | {"outputs": [{"name": "label", "parameters": {"binary_data": 1}}]}, "binary_data is 1"),
        (request() | {"parameters": {"binary_data_output": "yes"}}, "binary_data_output is 'yes'"),
        (request() | {"parameters": {"sequence_id": 7}}, "sequence_id"),
        (request() | {"parameters": {"treshold": 0.5}}, "'treshold'; did you mean 'threshold'"),
        (request() | {"parameters": {"time-out": 9}}, "'time-out'; did you mean 'timeout'"),
        (request(parameters={"layot": "HWC"}), "'layot'; did you mean 'layout'"),
        (request() | {"outputs": [{"name": "label", "parameters": {"binary-data": True}}]}, "mean 'binary_data'"),
        (request() | {"parameters": {"threshold": 1.5}}, "parameter threshold: "),
        (request() | {"parameters": {"threshold": "0.5"}}, "parameter threshold: "),
        (request() | {"parameters": {"min_region_area": 0}}, "parameter min_region_area: "),
        (request() | {"parameters": {"timeout": 0}}, "timeout is 0.*microseconds"),
        (request() | {"parameters": {"timeout": 1.5}}, r"timeout is 1\.5.*microseconds"),
        (request() | {"id": 7}, "id: "),
    ],
)
def test_invalid_requests_are_refused_with_the_invalid_value(client: TestClient, body: Document, pattern: str) -> None:
    assert re.search(pattern, error_of(client.post(URL, json=body), 422))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"\5\0\0\0hell", "element 0 "),
        (b"\5\0", "element 0 "),
        (b"\1\0\0\0a\1\0\0\0b", "more than the 1 elements"),
        (b"", "0 elements"),
    ],
)
def test_binary_elements_that_contradict_the_shape_are_refused(client: TestClient, data: bytes, words: str) -> None:
    tensor = {"name": "image", "shape": [1], "datatype": "BYTES", "parameters": {"binary_data_size": len(data)}}
    assert words in error_of(ask(client, (tensor, data)), 422)


def test_refused_pictures_have_the_statuses_of_v1(client: TestClient, normal_png: bytes) -> None:
    assert "not a picture" in error_of(client.post(URL, json=request()), 415)
    assert "empty" in error_of(ask(client, files_input([b""])), 422)
    assert "truncated" in error_of(ask(client, files_input([normal_png[:-20]])), 422)
    assert "at most 100" in error_of(ask(client, files_input([b"a"] * 101)), 413)
    assert "at most 100" in error_of(client.post(URL, json=request(shape=[10**30])), 413)


@pytest.mark.parametrize(
    ("encoding", "body", "status", "words"),
    [
        ("br", b"{}", 415, "gzip, deflate"),
        ("gzip, gzip", b"{}", 415, "gzip, deflate"),
        ("gzip", b"{}", 400, "not gzip"),
        ("deflate", b"{}", 400, "not deflate"),
        ("gzip", gzip.compress(b"{}", mtime=0)[:-9], 400, "cut off"),
        ("gzip", b"", 400, "cut off"),
        ("deflate", zlib.compress(b"{}") + b"x", 400, "goes on"),
        ("gzip", gzip.compress(b"{}", mtime=0) + b"xyz", 400, "not gzip"),
        ("gzip", gzip.compress(b"{", mtime=0) + gzip.compress(b"}", mtime=0), 422, "inputs: Field required"),
    ],
)
def test_bodies_that_cannot_be_unpacked_are_refused(
    client: TestClient, encoding: str, body: bytes, status: int, words: str
) -> None:
    assert words in error_of(client.post(URL, content=body, headers={"Content-Encoding": encoding}), status)


@pytest.fixture(scope="module")
def small(models_dir: Path, until_ready: Callable[[TestClient], None]) -> Iterator[TestClient]:
    """A client of a server with limits: bodies of 100,000 bytes and pictures of 20,000 pixels."""
    settings = Settings(models_dir=models_dir, device="cpu", max_image_bytes=100_000, max_pixels=20_000)
    with TestClient(build_app(settings)) as client:
        until_ready(client)
        yield client


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_bodies_that_unpack_beyond_the_limit_are_refused(small: TestClient, encoding: str) -> None:
    pack: dict[str, Callable[[bytes], bytes]] = {"gzip": gzip.compress, "deflate": zlib.compress}
    bomb = pack[encoding](bytes(50_000_000))
    assert len(bomb) < 100_000
    answer = small.post(URL, content=bomb, headers={"Content-Encoding": encoding})
    assert "unpacks to more than 100,000" in error_of(answer, 413)


def test_bodies_and_pictures_over_the_limits_are_refused(small: TestClient) -> None:
    assert "100,000" in error_of(small.post(URL, content=bytes(100_001)), 413)
    tensor = {"name": "image", "shape": [1, 20_001, 1], "datatype": "UINT8", "parameters": {"layout": "HWC"}}
    tensor["parameters"] = {"layout": "HWC", "binary_data_size": 20_001}
    assert "20,000" in error_of(ask(small, (tensor, bytes(20_001))), 413)


def test_shapes_are_checked_before_memory_is_used(client: TestClient) -> None:
    tensor = request(datatype="FP32", shape=[100, 2**20, 2**20, 3], data=[0])
    assert "1 elements" in error_of(client.post(URL, json=tensor), 422)


def test_the_shorter_of_the_header_and_the_parameter_is_the_time_limit(
    live: Callable[..., Any], defect_png: bytes
) -> None:
    server = live()
    holding = Holding(server.services.catalogue.get("patchcore").model)
    with httpx2.Client(base_url=server.url) as client:
        ways: list[Document] = [
            {"headers": {"X-Request-Timeout": "0.3"}},
            {"parameters": {"timeout": 300_000}},
            {"parameters": {"timeout": 300_000}, "headers": {"X-Request-Timeout": "60"}},
        ]
        for way in ways:
            answer = ask(client, files_input([defect_png] * 2), **way)  # type: ignore[arg-type]  # same post()
            assert "0.3 s" in error_of(answer, 504)
        holding.let_go()
        answer = ask(client, files_input([defect_png]), parameters={"timeout": 60_000_000})  # type: ignore[arg-type]  # same post()
        assert answer.status_code == 200
        wait_until(lambda: server.services.worker.tiles == 0)  # expired pictures end with their batch, maybe later
        refused = ask(client, files_input([defect_png]), headers={"X-Request-Timeout": "soon"})  # type: ignore[arg-type]  # same post()
        assert "2.5" in error_of(refused, 422)


def test_unexpected_errors_are_logged_and_not_disclosed(
    live: Callable[..., Any], normal_png: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    server = live()

    def fail() -> None:
        hook.remove()
        raise RuntimeError("secret /srv/path")

    hook = BeforeNetwork(server.services.catalogue.get("patchcore").model, fail)
    with httpx2.Client(base_url=server.url) as client, caplog.at_level(logging.ERROR):
        answer = ask(client, files_input([normal_png]))  # type: ignore[arg-type]  # same post()
    assert "secret" not in error_of(answer, 500)
    assert "secret /srv/path" in caplog.text
