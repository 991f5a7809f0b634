"""HEAD has the status and headers of GET, and no body."""

import socket
from collections.abc import Callable

import httpx2
import pytest
from starlette.testclient import TestClient

from tests.running import Live

PATHS = [
    *("/livez", "/readyz", "/metrics", "/v1/models", "/v1/models/patchcore", "/openapi.json", "/docs", "/"),
    *("/v2", "/v2/health/live", "/v2/health/ready", "/v2/models/patchcore", "/v2/models/patchcore/ready"),
    *("/v2/models/patchcore/versions/1", "/v2/models/patchcore/versions/1/ready"),
    *("/docs/assets/swagger-ui.css", "/page/colours", "/page/examples"),
]
ABSENT = ["/nowhere", "/v1/models/screw", "/v2/models/screw", "/livez?unknown=1", "/page/files/0/main.js"]
VOLATILE = {"date", "x-request-id"}


@pytest.fixture(scope="module")
def server(live_module: Callable[..., Live]) -> Live:
    return live_module()


@pytest.mark.parametrize("coding", ["identity", "gzip"])
@pytest.mark.parametrize("path", PATHS + ABSENT)
def test_head_has_the_headers_of_get(server: Live, path: str, coding: str) -> None:
    with httpx2.Client(base_url=server.url, headers={"Accept-Encoding": coding}) as client:
        head, get = client.head(path), client.get(path)
        again = client.head(path)  # on the same connection: nothing of a body was left on it
    assert head.status_code == get.status_code == again.status_code and head.content == b""
    same = get.headers.keys() - VOLATILE - ({"content-length"} if path == "/metrics" else set())
    assert {name: head.headers.get(name) for name in same} == {name: get.headers[name] for name in same}
    assert "content-length" in head.headers or "content-encoding" in head.headers


def test_no_byte_follows_the_headers(server: Live) -> None:
    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(b"HEAD /openapi.json HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        received = b"".join(iter(lambda: connection.recv(4096), b""))
    assert received.startswith(b"HTTP/1.1 200 ") and received.endswith(b"\r\n\r\n")


def test_a_head_request_can_be_conditional(client: TestClient) -> None:
    tag = client.head("/v1/models").headers["etag"]
    answer = client.head("/v1/models", headers={"If-None-Match": tag})
    assert answer.status_code == 304 and answer.headers["etag"] == tag


def test_head_is_recorded_as_head_with_its_route(server: Live) -> None:
    httpx2.head(f"{server.url}/v1/models/patchcore")
    counted = [line for line in httpx2.get(f"{server.url}/metrics").text.splitlines() if 'v1/models/{model}"' in line]
    assert any('method="HEAD"' in line for line in counted)


def test_head_is_not_for_routes_without_get(client: TestClient) -> None:
    answer = client.head("/v1/models/patchcore/predict")
    assert answer.status_code == 405 and answer.headers["Allow"] == "POST" and answer.content == b""


@pytest.mark.parametrize("path", ["/v1/models/patchcore", "/livez", "/v2", "/"])
def test_allow_lists_head(client: TestClient, path: str) -> None:
    answer = client.post(path)
    assert answer.status_code == 405 and answer.headers["Allow"] == "GET, HEAD"
