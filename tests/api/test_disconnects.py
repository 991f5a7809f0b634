"""The work of a request is cancelled when its client disconnects."""

import logging
import socket
from collections.abc import Callable
from threading import Event
from typing import Any

import httpx2
import pytest

from tests.interposing import BeforeNetwork
from tests.waiting import WAIT_S, wait_until

PATH = "/v1/models/patchcore/predict"


def post_and_disconnect(url: str, picture: bytes, reached: Callable[[], bool]) -> None:
    body = b'--B\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\n\r\n' + picture + b"\r\n--B--\r\n"
    head = (
        f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=B\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2])), timeout=10) as connection:
        connection.sendall(head.encode() + body)
        wait_until(reached)


def test_work_is_cancelled_when_the_client_disconnects(
    live: Callable[..., Any], defect_png: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    server = live(batch_tiles=1, cpu_lanes=1)
    services = server.services
    reached, leave = Event(), Event()

    def hold() -> None:
        reached.set()
        assert leave.wait(WAIT_S)

    hook = BeforeNetwork(services.catalogue.get("patchcore").model, hold)
    with caplog.at_level(logging.INFO, "tessera.request"):
        post_and_disconnect(server.url, defect_png, reached.is_set)  # runs, and occupies the device
        post_and_disconnect(server.url, defect_png, lambda: services.worker.tiles == 16)  # waits
        wait_until(lambda: caplog.text.count("status=499") == 2)
        wait_until(lambda: services.worker.tiles == 8)  # the waiting picture is gone, the running one is not
        hook.remove()
        leave.set()
        wait_until(lambda: services.worker.tiles == 0)
    assert "tessera_tiles_total 1.0" in httpx2.get(f"{server.url}/metrics").text
    assert httpx2.post(server.url + PATH, files={"image": defect_png}).status_code == 200


def test_a_client_that_disconnects_during_its_upload_leaves_no_task(
    live: Callable[..., Any], defect_png: bytes
) -> None:
    server = live()
    head = (
        f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=B\r\nContent-Length: 9999\r\n"
    )
    with socket.create_connection(("127.0.0.1", int(server.url.rpartition(":")[2])), timeout=10) as connection:
        connection.sendall(head.encode() + b"\r\n--B\r\n")
    assert httpx2.post(server.url + PATH, files={"image": defect_png}).status_code == 200
    wait_until(lambda: len(server.server.server_state.tasks) == 0)
