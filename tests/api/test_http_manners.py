"""What browsers and proxies expect: compression, caching, and requests from other origins."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import httpx2
import pytest
from pydantic import ValidationError
from starlette.testclient import TestClient

from app.application import build_app
from app.settings import Settings
from tests.running import Live

ORIGIN = "https://line3.example"
PREDICT = "/v1/models/patchcore/predict"


@pytest.fixture(scope="module")
def live_server(live_module: Callable[..., Live]) -> Live:
    return live_module()


def test_json_is_compressed_for_clients_that_accept_gzip(client: TestClient) -> None:
    plain = client.get("/openapi.json", headers={"Accept-Encoding": "identity"})
    with client.stream("GET", "/openapi.json", headers={"Accept-Encoding": "gzip"}) as packed:
        content = b"".join(packed.iter_raw())
    assert "content-encoding" not in plain.headers and packed.headers["content-encoding"] == "gzip"
    assert packed.headers["vary"] == plain.headers["vary"] == "Accept-Encoding"
    assert len(content) < len(plain.content) / 4 and gzip.decompress(content) == plain.content


@pytest.mark.parametrize("route", ["heatmap", "anomaly-map", "anomaly-map?format=tiff", "anomaly-map?format=png16"])
def test_heatmaps_and_maps_are_not_compressed(client: TestClient, normal_png: bytes, route: str) -> None:
    files = {"image": normal_png}
    answer = client.post(f"/v1/models/patchcore/{route}", files=files, headers={"Accept-Encoding": "gzip"})
    assert answer.status_code == 200 and "content-encoding" not in answer.headers


def test_lines_of_a_batch_can_be_compressed(client: TestClient, normal_png: bytes) -> None:
    files = [("images", (f"{number}.png", normal_png)) for number in range(12)]
    headers = {"Accept": "application/x-ndjson", "Accept-Encoding": "gzip"}
    answer = client.post(f"{PREDICT}-batch", files=files, headers=headers)
    assert answer.headers["content-encoding"] == "gzip"
    assert set(answer.headers["vary"].split(", ")) == {"Accept", "Accept-Encoding"}
    assert [json.loads(line)["index"] for line in answer.text.splitlines()] == list(range(12))


def test_predictions_and_problems_are_not_cached(client: TestClient, normal_png: bytes) -> None:
    for content in (normal_png, b"no picture"):
        assert client.post(PREDICT, files={"image": content}).headers["cache-control"] == "no-store"


def test_models_are_revalidated_and_assets_are_cached(client: TestClient) -> None:
    assert client.get("/v1/models").headers["cache-control"] == "no-cache"
    assert client.get("/docs/assets/swagger-ui.css").headers["cache-control"] == "public, max-age=86400"
    assert client.get("/docs/assets/nothing.css").headers["cache-control"] == "no-store"


@pytest.mark.parametrize("coding", ["gzip", "identity"])
@pytest.mark.parametrize("first_coding", ["gzip", "identity"])
@pytest.mark.parametrize("path", ["/v1/models", "/v1/models/patchcore", "/docs/assets/swagger-ui.css"])
def test_a_cached_copy_is_confirmed_in_any_coding(live_server: Live, path: str, first_coding: str, coding: str) -> None:
    with httpx2.Client(base_url=live_server.url) as client:
        first = client.get(path, headers={"Accept-Encoding": first_coding})
        headers = {"Accept-Encoding": coding, "If-None-Match": first.headers["etag"]}
        confirmed = client.get(path, headers=headers)
        stale = client.get(path, headers={"Accept-Encoding": coding, "If-None-Match": 'W/"other"'})
    assert first.headers.get("content-encoding", "identity") == first_coding
    assert stale.headers.get("content-encoding", "identity") == coding and stale.content == first.content
    assert (first.status_code, confirmed.status_code, stale.status_code) == (200, 304, 200)
    assert confirmed.content == b""
    for answer in (first, confirmed, stale):  # RFC 9110, section 15.4.5: a 304 has the headers of the 200
        assert answer.headers["etag"] == first.headers["etag"] and answer.headers["vary"] == "Accept-Encoding"
        assert answer.headers["cache-control"] == first.headers["cache-control"]


def test_entity_tags_are_weak_in_every_coding(live_server: Live) -> None:
    for path in ("/v1/models", "/v1/models/patchcore", "/docs/assets/swagger-ui-bundle.js"):
        for coding in ("gzip", "identity"):
            tag = httpx2.get(live_server.url + path, headers={"Accept-Encoding": coding}).headers["etag"]
            assert tag.startswith('W/"'), (path, coding)


def test_other_origins_are_not_allowed_by_default(client: TestClient) -> None:
    answer = client.get("/livez", headers={"Origin": ORIGIN})
    assert "access-control-allow-origin" not in answer.headers
    preflight = {"Origin": ORIGIN, "Access-Control-Request-Method": "POST"}
    assert client.options(PREDICT, headers=preflight).status_code == 405


def test_allowed_origins_may_send_requests_and_read_our_headers(models_dir: Path, normal_png: bytes) -> None:
    settings = Settings(models_dir=models_dir, device="cpu", cors_origins=f"http://localhost:3000, {ORIGIN}")
    client = TestClient(build_app(settings))  # not started: answers are problems, which other origins may read, too
    preflight = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "x-request-timeout"}
    allowed = client.options(PREDICT, headers={"Origin": ORIGIN, **preflight})
    assert allowed.status_code == 200 and allowed.headers["access-control-allow-origin"] == ORIGIN
    assert "x-request-timeout" in allowed.headers["access-control-allow-headers"]
    assert client.options(PREDICT, headers={"Origin": "https://other.example", **preflight}).status_code == 400

    answer = client.post(PREDICT, files={"image": normal_png}, headers={"Origin": ORIGIN})
    assert answer.status_code == 503 and answer.headers["access-control-allow-origin"] == ORIGIN
    exposed = answer.headers["access-control-expose-headers"]
    assert all(name in exposed for name in ("X-Request-ID", "Tessera-Model-Digest", "ETag", "Retry-After"))


@pytest.mark.parametrize(
    "origins", ["line3.example", "https://line3.example/path", "https://a.example https://b.example"]
)
def test_an_invalid_origin_is_refused(origins: str) -> None:
    with pytest.raises(ValidationError, match="cors_origins"):
        Settings(cors_origins=origins)
