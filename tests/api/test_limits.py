"""Limits of uploads, against a real server: it matters when the parts of a body are read."""

import socket
import tracemalloc
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import httpx2
import pytest

from tests.interposing import Turnstile
from tests.running import Live
from tests.waiting import WAIT_S, wait_until

LIMIT = 100_000
TILES = 8  # of one picture
PATH = "/v1/models/patchcore/predict"
HEADERS = {"Content-Type": "multipart/form-data; boundary=B"}
HEAD = b'--B\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\n\r\n'


@pytest.fixture(scope="module")
def limited(live_module: Callable[..., Live]) -> Live:
    """A server that takes pictures of LIMIT bytes at most."""
    return live_module(max_image_bytes=LIMIT)


def test_too_many_bytes_are_refused(limited: Live, normal_png: bytes) -> None:
    assert len(normal_png) < LIMIT
    assert httpx2.post(limited.url + PATH, files={"image": normal_png}).status_code == 200
    answer = httpx2.post(limited.url + PATH, files={"image": bytes(50 * LIMIT)})
    assert_refused(answer)
    assert httpx2.post(limited.url + PATH, files={"image": normal_png}).status_code == 200


def test_chunked_uploads_are_refused_while_reading(limited: Live) -> None:
    sent = 0

    def endless() -> Iterator[bytes]:
        nonlocal sent
        yield HEAD
        for _ in range(2000):
            sent += 10_000
            yield bytes(10_000)

    answer = httpx2.post(limited.url + PATH, content=endless(), headers=HEADERS)
    assert_refused(answer)


def test_a_content_length_over_the_limit_is_refused_before_the_body_is_sent(limited: Live) -> None:
    address = ("127.0.0.1", int(limited.url.rpartition(":")[2]))
    with socket.create_connection(address, timeout=10) as connection:
        connection.sendall(
            f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Type: {HEADERS['Content-Type']}\r\n"
            f"Content-Length: {LIMIT + 1}\r\n\r\n".encode()
        )
        assert connection.recv(1000).startswith(b"HTTP/1.1 413 ")


def test_a_body_of_exactly_the_limit_is_read(limited: Live) -> None:
    tail = b"\r\n--B--\r\n"
    body = HEAD + bytes(LIMIT - len(HEAD) - len(tail)) + tail
    assert httpx2.post(limited.url + PATH, content=body, headers=HEADERS).status_code == 415
    assert httpx2.post(limited.url + PATH, content=body + b"\n", headers=HEADERS).status_code == 413


@pytest.mark.parametrize("size", [LIMIT + 1, 20 * LIMIT])
def test_large_bodies_do_not_change_the_answers_of_other_routes(limited: Live, size: int) -> None:
    assert httpx2.post(f"{limited.url}/livez", content=bytes(size)).status_code == 405


def test_the_sum_of_all_uploads_is_limited_and_an_ended_upload_no_longer_counts(
    live: Callable[..., Live], normal_png: bytes
) -> None:
    server = live(max_image_bytes=LIMIT, max_waiting_bytes=LIMIT)
    address = ("127.0.0.1", int(server.url.rpartition(":")[2]))
    with socket.create_connection(address, timeout=10) as connection:
        connection.sendall(
            f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\nContent-Length: {LIMIT}\r\n\r\n".encode()
        )
        connection.sendall(bytes(LIMIT - 10))  # the last 10 bytes are not sent
        wait_until(lambda: httpx2.post(server.url + PATH, files={"image": normal_png}).status_code == 429)
        answer = httpx2.post(server.url + PATH, files={"image": normal_png})
        assert answer.json()["code"] == "overloaded"
        assert "max_waiting_bytes" in answer.json()["detail"]
        assert int(answer.headers["Retry-After"]) >= 1
    wait_until(lambda: httpx2.post(server.url + PATH, files={"image": normal_png}).status_code == 200)


def test_waiting_uploads_are_not_in_memory(live: Callable[..., Live], normal_png: bytes) -> None:
    server = live()
    (model,) = server.services.catalogue.get("patchcore").models
    turnstile = Turnstile(model)
    padded, count = normal_png + bytes(2**23), 12
    tracemalloc.start()
    try:
        with ThreadPoolExecutor(count) as pool:
            before, _ = tracemalloc.get_traced_memory()
            post = partial(httpx2.post, server.url + PATH, files={"image": padded}, timeout=WAIT_S)
            answers = [pool.submit(post) for _ in range(count)]
            wait_until(lambda: server.services.worker.tiles == count * TILES)
            held = tracemalloc.get_traced_memory()[0] - before
            turnstile.open()
            assert {each.result().status_code for each in answers} == {200}
    finally:
        tracemalloc.stop()
    assert held < len(padded) * count / 3  # buffers of the connections and the decoder's work are in it, too


def assert_refused(answer: httpx2.Response) -> None:
    assert answer.status_code == 413
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "too_many_bytes"
    assert "100,000" in answer.json()["detail"]
    assert answer.headers["X-Request-ID"]
