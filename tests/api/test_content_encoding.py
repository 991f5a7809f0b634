"""Compressed request bodies: pieces, and their limits on all routes."""

import gzip
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx2
import numpy as np
import pytest
from fastapi import HTTPException
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from app.api.content_encoding import STEP, Decoder, decoder_of
from app.application import build_app
from app.settings import Settings
from tests.running import Live

URL = "/v1/models/patchcore/predict"
PACK: dict[str, Callable[[bytes], bytes]] = {"gzip": gzip.compress, "deflate": zlib.compress}
ENCODINGS = sorted(PACK)
LIMIT = 100_000


def pieces(decoder: Decoder, packed: bytes, size: int) -> Iterator[bytes]:
    for start in range(0, len(packed), size):
        decoder.feed(packed[start : start + size])
        while piece := decoder.read():
            yield piece
    decoder.finish()


@given(st.binary(max_size=3000), st.sampled_from(ENCODINGS), st.integers(1, 500))
def test_unpacking_inverts_packing_however_the_body_is_cut_into_messages(data: bytes, encoding: str, size: int) -> None:
    assert b"".join(pieces(Decoder(encoding), PACK[encoding](data), size)) == data


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("size", [STEP - 1, STEP, STEP + 1, 5 * STEP])
def test_bodies_larger_than_a_step_are_unpacked_completely_in_small_pieces(encoding: str, size: int) -> None:
    for data in (bytes(size), np.random.default_rng(0).bytes(size)):
        found = list(pieces(Decoder(encoding), PACK[encoding](data), 2**16))
        assert b"".join(found) == data and max(map(len, found)) <= STEP


def test_gzip_may_have_several_members() -> None:
    packed = gzip.compress(b"one") + gzip.compress(b"") + gzip.compress(b"two")
    assert b"".join(pieces(Decoder("gzip"), packed, 7)) == b"onetwo"


@pytest.mark.parametrize("encoding", ["", "identity", " Identity "])
def test_bodies_without_compression_have_no_decoder(encoding: str) -> None:
    assert decoder_of(encoding) is None


def test_an_unknown_encoding_is_refused_with_the_accepted_ones() -> None:
    with pytest.raises(HTTPException) as refused:
        decoder_of("br")
    assert refused.value.status_code == 415 and refused.value.headers == {"Accept-Encoding": "gzip, deflate"}


@pytest.mark.parametrize("encoding", ["gzip", "x-gzip", "GZIP", "deflate", "identity"])
@pytest.mark.parametrize("form", [True, False], ids=["form", "raw"])
def test_compressed_pictures_are_answered_like_plain_ones(
    client: TestClient, defect_png: bytes, encoding: str, form: bool
) -> None:
    request = client.build_request(
        "POST", URL, **({"files": {"image": defect_png}} if form else {"content": defect_png})
    )
    packed = PACK.get(encoding.lower().removeprefix("x-"), bytes)(request.read())
    headers = {"Content-Type": request.headers.get("Content-Type", "image/png"), "Content-Encoding": encoding}
    answer = client.post(URL, content=packed, headers=headers)
    assert answer.status_code == 200, answer.text
    assert answer.json()["score"] == client.post(URL, content=defect_png).json()["score"]


def test_a_compressed_batch_is_unpacked(client: TestClient, normal_png: bytes) -> None:
    request = client.build_request("POST", f"{URL}-batch", files=[("images", normal_png)] * 2)
    headers = {"Content-Type": request.headers["Content-Type"], "Content-Encoding": "gzip"}
    answer = client.post(f"{URL}-batch", content=gzip.compress(request.read()), headers=headers)
    assert [set(item) for item in answer.json()["items"]] == [{"index", "file", "prediction"}] * 2


@pytest.mark.parametrize(
    ("encoding", "body", "status", "code", "words"),
    [
        ("br", b"x", 415, "unsupported_media_type", "gzip, deflate"),
        ("gzip, gzip", b"x", 415, "unsupported_media_type", "gzip, deflate"),
        ("gzip", b"\x89PNG\r\n", 400, "bad_request", "not gzip"),
        ("deflate", b"\x89PNG\r\n", 400, "bad_request", "not deflate"),
        ("gzip", gzip.compress(bytes(99), mtime=0)[:-9], 400, "bad_request", "cut off"),
        ("gzip", b"", 400, "bad_request", "cut off"),
        ("deflate", zlib.compress(b"x") + b"x", 400, "bad_request", "goes on"),
    ],
)
@pytest.mark.parametrize("route", ["predict", "heatmap", "anomaly-map"])
def test_bodies_that_cannot_be_unpacked_are_refused(
    client: TestClient, route: str, encoding: str, body: bytes, status: int, code: str, words: str
) -> None:
    answer = client.post(f"/v1/models/patchcore/{route}", content=body, headers={"Content-Encoding": encoding})
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert words in answer.json()["detail"]
    assert status != 415 or answer.headers["Accept-Encoding"] == "gzip, deflate"


@pytest.fixture(scope="module")
def small(live_module: Callable[..., Live]) -> Live:
    """A server with a limit of LIMIT bytes on each body, and of twice as many on all together."""
    return live_module(max_image_bytes=LIMIT, max_waiting_bytes=2 * LIMIT)


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("path", [URL, "/v2/models/patchcore/infer", "/v2/repository/index"])
def test_a_bomb_is_refused_before_it_is_unpacked_beyond_the_limit(small: Live, path: str, encoding: str) -> None:
    bomb = PACK[encoding](bytes(50_000_000))
    assert len(bomb) < LIMIT
    headers = {"Content-Encoding": encoding, "Content-Type": "application/json" if "/v2" in path else "image/png"}
    answer = httpx2.post(small.url + path, content=bomb, headers=headers)
    assert answer.status_code == 413 and "unpacks to more than 100,000 bytes (max_image_bytes)" in answer.text
    assert small.app.middleware_stack is not None
    assert httpx2.post(small.url + URL, content=b"").status_code == 422  # nothing is held any longer


def test_members_without_content_are_limited_as_they_are_sent(small: Live) -> None:
    empty = gzip.compress(b"") * 20_000
    assert len(empty) > LIMIT
    answer = httpx2.post(small.url + URL, content=iter([empty]), headers={"Content-Encoding": "gzip"})
    assert answer.status_code == 413 and answer.json()["code"] == "too_many_bytes"


def test_unpacked_bytes_of_all_uploads_are_limited_together(models_dir: Path) -> None:
    settings = Settings(models_dir=models_dir, device="cpu", max_image_bytes=LIMIT, max_waiting_bytes=LIMIT)
    with TestClient(build_app(settings)) as client:
        for _ in range(3):  # what an answered request held is free again
            answer = client.post(URL, content=gzip.compress(bytes(LIMIT)), headers={"Content-Encoding": "gzip"})
            assert answer.status_code != 429 and answer.json()["code"] != "too_many_bytes"
