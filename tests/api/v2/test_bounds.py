"""The JSON of requests to /v2 is read in bounded memory and time, whatever it contains."""

import gzip
import json
import tracemalloc
from collections.abc import Callable

import httpx2
import numpy as np
import pytest
from fastapi import HTTPException
from starlette.testclient import TestClient

from app.api.content_encoding import MOST_MEMBERS, Decoder
from app.api.v2.document import MAX_FIELDS_BYTES, read_document
from app.api.v2.numbers import SLICE, most_bytes, read_numbers
from app.api.v2.request import MAX_JSON_BYTES
from tests.api.v2.messages import LENGTH, URL
from tests.running import Live

SIZE = 2**20
DIGITS = b"9" * 5000
TENSOR = b'{"inputs":[{"name":"image","shape":%s,"datatype":"UINT8","parameters":%s,"data":%s}]%s}'
PNG = b'{"inputs":[{"name":"image","shape":[1],"datatype":"BYTES","data":["aGk="]}],"parameters":%s}'


def filled(unit: bytes, size: int = SIZE) -> bytes:
    return unit * (size // len(unit))


def numbered(size: int = SIZE) -> bytes:
    """Many keys of one object."""
    return b",".join(b'"%07d":1' % number for number in range(size // 12))


HOSTILE = {
    "empty lists as data": TENSOR % (b"[1,1,3]", b"{}", b"[" + filled(b"[],") + b"1]", b""),
    "empty lists of an unknown field": b'{"x":[' + filled(b"[],") + b"1]}",
    "empty lists as a parameter": TENSOR % (b"[1,1,3]", b'{"a":[' + filled(b"[],") + b"1]}", b"[1]", b""),
    "empty objects as inputs": b'{"inputs":[' + filled(b"{},") + b"{}]}",
    "empty objects as outputs": TENSOR % (b"[1,1,3]", b"{}", b"[1]", b',"outputs":[' + filled(b"{},") + b"{}]"),
    "keys": b"{" + numbered() + b"}",
    "keys of parameters": TENSOR % (b"[1,1,3]", b"{" + numbered() + b"}", b"[1]", b""),
    "keys as data": TENSOR % (b"[1,1,3]", b"{}", b"{" + numbered() + b"}", b""),
    "sizes": TENSOR % (b"[" + filled(b"1,") + b"1]", b"{}", b"[1]", b""),
    "nesting": filled(b"["),
    "nesting of an unknown field": b'{"x":' + filled(b"["),
    "nesting as data": TENSOR % (b"[1,1,3]", b"{}", filled(b"[") + filled(b"]"), b""),
    "string as id": TENSOR % (b"[1,1,3]", b"{}", b"[1]", b',"id":"' + filled(b"a") + b'"'),
    "string as data": TENSOR % (b"[1,1,3]", b"{}", b'["' + filled(b"a,") + b'"]', b""),
    "a number of many digits": TENSOR % (b"[1,1,3]", b"{}", b"[" + filled(b"9") + b"]", b""),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_json_is_refused_in_memory_that_its_size_bounds(client: TestClient, kind: str) -> None:
    tracemalloc.start()
    try:
        answer = client.post(URL, content=HOSTILE[kind], headers={"Content-Encoding": "identity"})
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert answer.status_code in (400, 413, 422), answer.text
    assert list(answer.json()) == ["error"] and len(answer.text) < 1000
    assert peak < 6 * SIZE + 4 * 2**20  # the client's copies are in it, too


FIELDS = {
    "size": TENSOR % (b"[%s]", b"{}", b"[1]", b""),
    "size of many": TENSOR % (b"[2,%s,3]", b"{}", b"[1]", b""),
    "size in an index": TENSOR % (b"[%s,8,8,3]", b"{}", b"[1]", b""),
    "pixel": TENSOR % (b"[2,1,3]", b"{}", b"[1,2,3,4,5,%s]", b""),
    "layout": TENSOR % (b"[2,1,3]", b'{"layout":%s}', b"[1]", b""),
    "binary_data_size": TENSOR % (b"[2,1,3]", b'{"binary_data_size":%s}', b"null", b""),
    "white": (TENSOR % (b"[2,1,3]", b'{"white":%s}', b"[1]", b"")).replace(b"UINT8", b"FP32"),
    "unknown to the model": TENSOR % (b"[2,1,3]", b'{"a":%s}', b"[1]", b""),
    "timeout": PNG % b'{"timeout":%s}',
    "threshold": PNG % b'{"threshold":%s}',
    "min_region_area": PNG % b'{"min_region_area":%s}',
    "roi": PNG % b'{"roi":[1,2,3,%s]}',
    "binary_data_output": PNG % b'{"binary_data_output":%s}',
}


@pytest.mark.parametrize("digits", [400, 4300, 5000, 60_000])
@pytest.mark.parametrize("field", FIELDS)
def test_numbers_of_thousands_of_digits_are_refused(client: TestClient, field: str, digits: int) -> None:
    answer = client.post(URL, content=FIELDS[field] % (b"9" * digits))
    assert answer.status_code in (413, 422), answer.text
    assert len(answer.text) < 1000


def test_the_product_of_many_sizes_is_not_written(client: TestClient) -> None:
    shapes = (b"[" + b"9999999999999999999," * 300 + b"1]", b"[2,%s,3]" % (b"9" * 4290))
    for shape in shapes:
        answer = client.post(URL, content=TENSOR % (shape, b"{}", b"[1]", b""))
        assert answer.status_code == 422 and len(answer.text) < 1000


def test_fields_beside_the_data_have_a_limit_that_data_and_unknown_fields_do_not_count_for() -> None:
    numbers = b"[" + filled(b"1,", MAX_FIELDS_BYTES) + b"1]"
    request, data = read_document(TENSOR % (b"[3]", b"{}", numbers, b',"x":' + numbers))
    assert bytes(data or b"") == numbers and request.inputs[0].shape == [3] and request.inputs[0].data is None
    with pytest.raises(HTTPException) as refused:
        read_document(TENSOR % (b"[3]", b'{"a":%s}' % numbers, b"[]", b""))
    assert refused.value.status_code == 413 and "65,536" in refused.value.detail


@pytest.mark.parametrize("shape", [[7, 11, 3], [2, 5, 1, 1], [1, 1, 20_011], [2, 3, 1, 4000]])
@pytest.mark.parametrize("datatype", ["UINT8", "UINT16", "FP32"])
@pytest.mark.parametrize("indent", [None, 1])
@pytest.mark.parametrize("nested", [True, False])
def test_numbers_are_those_of_the_text(shape: list[int], datatype: str, indent: int | None, nested: bool) -> None:
    expected = np.random.default_rng(0).integers(0, 256, shape) / (1 if datatype != "FP32" else 255)
    listed = (expected if nested else expected.reshape(-1)).tolist()
    text = json.dumps(listed if datatype == "FP32" else np.asarray(listed, int).tolist(), indent=indent)
    found = read_numbers(memoryview(text.encode()), shape, datatype)
    assert found.shape == tuple(shape) and np.array_equal(found, expected.astype(found.dtype))


def test_reading_numbers_needs_little_more_than_their_array() -> None:
    shape = [500, 400, 3]
    values = np.random.default_rng(0).integers(0, 256, shape)
    text = memoryview(json.dumps(values.tolist(), separators=(",", ":")).encode())
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        read_numbers(text, shape, "UINT8")
        peak = tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()
    assert peak < most_bytes(text, shape, "UINT8") + 40 * SLICE < 2 * len(text) + 40 * SLICE


def test_a_gzip_of_many_members_is_refused_after_a_bounded_number() -> None:
    decoder = Decoder("gzip")
    decoder.feed(gzip.compress(b"", mtime=0) * (100 * MOST_MEMBERS))
    with pytest.raises(HTTPException) as refused:
        decoder.read()
    assert refused.value.status_code == 400 and f"{MOST_MEMBERS:,} members" in refused.value.detail


def test_a_gzip_of_blocks_is_unpacked() -> None:
    decoder, blocks = Decoder("gzip"), 5000
    decoder.feed(gzip.compress(b"block", mtime=0) * blocks)
    assert b"".join(iter(decoder.read, b"")) == b"block" * blocks
    decoder.finish()


@pytest.fixture(scope="module")
def small(live_module: Callable[..., Live]) -> Live:
    """A server with a limit of 1 MB on all bodies together."""
    return live_module(max_image_bytes=SIZE, max_waiting_bytes=SIZE)


def test_numbers_in_memory_count_like_the_bytes_of_bodies(small: Live) -> None:
    for numbers, status in ((SIZE // 16, 422), (SIZE // 4, 413), (SIZE // 16, 422)):  # answered requests hold nothing
        shape = [1, numbers, 1]
        tensor = {"name": "image", "shape": shape, "datatype": "FP32", "parameters": {"layout": "HWC"}}
        text = json.dumps({"inputs": [tensor | {"data": [2] * numbers}]}, separators=(",", ":"))
        assert len(text) < SIZE
        answer = httpx2.post(small.url + URL, content=text, timeout=60)
        assert answer.status_code == status, answer.text
        assert ("max_waiting_bytes" if status == 413 else "[0, 1]") in answer.json()["error"]


@pytest.mark.parametrize("header", [True, False])
def test_json_over_the_limit_is_refused_before_it_is_sent(client: TestClient, header: bool) -> None:
    announced = {LENGTH: str(MAX_JSON_BYTES + 1)} if header else {"Content-Length": str(MAX_JSON_BYTES + 1)}
    answer = client.post(URL, content=bytes(1000), headers=announced)
    assert answer.status_code == 413 and f"{MAX_JSON_BYTES:,}" in answer.json()["error"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 200),
        (b"null", 200),
        (b'{"ready":true}', 200),
        (b'{"ready":1}', 422),
        (b"[]", 422),
        (b"\xff", 400),
        (b"{", 422),
        (b"\x0b", 422),
        (b"[" * 4000, 422),
        (b'{"ready":' + b"9" * 4000 + b"}", 422),
        (b'{"x":' + b"9" * 5000 + b"}", 413),
        (bytes(5000), 413),
    ],
)
def test_the_body_of_an_index_request_is_small(client: TestClient, body: bytes, status: int) -> None:
    answer = client.post("/v2/repository/index", content=body)
    assert answer.status_code == status, answer.text
