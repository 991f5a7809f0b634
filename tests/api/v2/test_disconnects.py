"""All pictures of a request to /v2 are cancelled when its client disconnects."""

import json
import socket
from collections.abc import Callable
from threading import Event
from typing import Any

import httpx2

from tests.api.v2.messages import LENGTH, URL, ask, files_input, parsed
from tests.interposing import BeforeNetwork
from tests.waiting import WAIT_S, wait_until


def test_work_is_cancelled_when_the_client_disconnects(live: Callable[..., Any], defect_png: bytes) -> None:
    server = live(batch_tiles=1, cpu_lanes=1)
    services = server.services
    reached, leave = Event(), Event()

    def hold() -> None:
        reached.set()
        assert leave.wait(WAIT_S)

    hook = BeforeNetwork(services.catalogue.get("patchcore").model, hold)
    tensor, data = files_input([defect_png] * 6)
    text = json.dumps({"inputs": [tensor]}).encode()
    head = f"POST {URL} HTTP/1.1\r\nHost: x\r\n{LENGTH}: {len(text)}\r\nContent-Length: {len(text + data)}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", int(server.url.rpartition(":")[2])), timeout=10) as connection:
        connection.sendall(head.encode() + text + data)
        wait_until(lambda: reached.is_set() and services.worker.tiles == 6 * 8)  # the request is admitted as a whole
    wait_until(lambda: services.worker.tiles == 0)
    hook.remove()
    leave.set()
    wait_until(lambda: "tessera_tiles_total 1.0" in httpx2.get(f"{server.url}/metrics").text)  # the batch that ran
    with httpx2.Client(base_url=server.url) as client:
        assert parsed(ask(client, files_input([defect_png])))[1]["label"].tolist() == ["anomalous"]  # type: ignore[arg-type]  # same post()
