"""The server behind a proxy that strips a prefix or keeps it, and mounted in another application."""

import re
from collections.abc import Callable, Iterable, Iterator
from urllib.parse import urljoin

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.routing import BaseRoute, Mount, Route
from starlette.testclient import TestClient

from app.setting_values import OWN_PATHS
from tests.forwarding import forwarded
from tests.running import Live
from tests.waiting import wait_until

PREFIX = "/plant/tessera"


@pytest.fixture(scope="module", params=[True, False], ids=["stripped", "kept"])
def proxied(live_module: Callable[..., Live], request: pytest.FixtureRequest) -> Iterator[httpx2.Client]:
    """A client of a proxy in front of a server whose setting `root_path` is the prefix."""
    server = live_module(root_path=PREFIX)
    with (
        forwarded(server.url, PREFIX, strips=request.param) as url,
        httpx2.Client(base_url=url, timeout=60, headers={"Accept-Encoding": "identity"}) as client,
    ):
        yield client


def test_only_the_server_url_of_the_document_depends_on_the_prefix(proxied: httpx2.Client, client: TestClient) -> None:
    document = proxied.get(f"{PREFIX}/openapi.json").json()
    assert [server["url"] for server in document["servers"]] == [PREFIX]
    plain = client.get("/openapi.json").json()
    assert [server["url"] for server in plain["servers"]] == ["/"]
    assert document | {"servers": None} == plain | {"servers": None}


def test_documented_paths_are_answered_under_the_prefix(proxied: httpx2.Client, defect_png: bytes) -> None:
    location = str(proxied.base_url.join(f"{PREFIX}/openapi.json"))
    document = proxied.get(location).json()
    base = urljoin(location, document["servers"][0]["url"])  # as OpenAPI 3.1 resolves relative servers
    paths = [path for path, operations in document["paths"].items() if "get" in operations]
    for path in paths:
        if path.startswith(("/v1/jobs", "/v1/pictures", "/v1/trainings", "/v1/teachings")):  # this server has none
            continue
        if path.endswith("/normal-pictures/{number}"):  # nor has this model
            continue
        url = base + path.format(model="patchcore", version=1)
        assert proxied.get(url).status_code == 200, url
    answer = proxied.post(f"{base}/v1/models/patchcore/predict", files={"image": defect_png})
    assert (answer.status_code, answer.json()["label"]) == (200, "anomalous")


def test_the_docs_work_under_the_prefix(proxied: httpx2.Client) -> None:
    page = proxied.get(f"{PREFIX}/docs")
    links = re.findall(r'(?:src|href|url)(?:=|: )["\']([^"\']+)["\']', page.text)
    assert "openapi.json" in links and len(links) == 4
    for link in links:
        answer = proxied.get(urljoin(str(page.url), link))
        assert answer.status_code == 200, link
        if "assets" in link:
            assert answer.headers["cache-control"] == "public, max-age=86400"


@pytest.mark.parametrize("slash", ["", "/"])
def test_the_page_works_under_the_prefix_with_and_without_a_slash(proxied: httpx2.Client, slash: str) -> None:
    page = proxied.get(PREFIX + slash, follow_redirects=True)
    base, *links = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert f'<base href="{base}">' in page.text and base == f"{PREFIX}/"
    assert len(links) >= 7
    for link in links:
        assert proxied.get(urljoin(urljoin(str(page.url), base), link)).status_code == 200, link


REDIRECTED = [
    ("/v1/models/", "/v1/models"),
    ("/v1/models/patchcore/", "/v1/models/patchcore"),
    ("/v1/models/a:b%20%C3%BC/", "/v1/models/a:b%20%C3%BC"),
    ("/v1/models/patchcore/predict/", "/v1/models/patchcore/predict"),
    ("/v2/", "/v2"),
    ("/docs/", "/docs"),
    ("/docs/assets", "/docs/assets/"),
    ("/livez/?a=1&b=%2F", "/livez?a=1&b=%2F"),
]


@pytest.mark.parametrize(("path", "target"), [*REDIRECTED, ("/v1/models//", "/v1/models")])
def test_redirects_keep_the_scheme_the_host_and_the_prefix(proxied: httpx2.Client, path: str, target: str) -> None:
    answer = proxied.get(PREFIX + path)
    assert answer.status_code == 307
    origin = "https://plant.example"  # of which the server knows nothing
    assert urljoin(origin + PREFIX + path, answer.headers["location"]) == origin + PREFIX + target


@pytest.mark.parametrize(("path", "target"), REDIRECTED)
def test_redirects_keep_a_prefix_that_the_server_does_not_know(client: TestClient, path: str, target: str) -> None:
    answer = client.get(path, follow_redirects=False, headers={"Host": "inside:8000", "X-Forwarded-Proto": "https"})
    url = "https://plant.example/line-3"
    assert urljoin(url + path, answer.headers["location"]) == url + target


def test_the_log_has_the_address_that_a_trusted_proxy_forwards(
    live: Callable[..., Live], caplog: pytest.LogCaptureFixture
) -> None:
    headers = {"X-Forwarded-For": "203.0.113.9"}
    for trusted, address in (
        ("", "127.0.0.1"),
        ("10.0.0.0/8", "127.0.0.1"),
        ("127.0.0.1", "203.0.113.9"),
        ("*", "203.0.113.9"),
    ):
        caplog.clear()
        with caplog.at_level("INFO", "tessera.request"):
            httpx2.get(f"{live(forwarded_allow_ips=trusted).url}/v1/models", headers=headers)
            wait_until(lambda: "/v1/models" in caplog.text)
        assert f"client='{address}'" in caplog.text, trusted


def test_problems_hold_the_path_that_the_client_requested(proxied: httpx2.Client) -> None:
    problem = proxied.get(f"{PREFIX}/v1/models/screw").json()
    assert (problem["code"], problem["instance"]) == ("model_not_found", f"{PREFIX}/v1/models/screw")
    assert proxied.get(f"{PREFIX}/v1/models/patchcore/predict").json()["code"] == "method_not_allowed"
    assert proxied.get(f"{PREFIX}/v2/models/screw").json().keys() == {"error"}


def test_requests_without_the_proxy_are_answered_too(live_module: Callable[..., Live]) -> None:
    server = live_module(root_path=PREFIX)
    for path in ("/readyz", "/metrics", "/v1/models", f"{PREFIX}/readyz"):
        assert httpx2.get(server.url + path).status_code == 200
    assert httpx2.get(f"{server.url}{PREFIX}s/readyz").status_code == 404
    counted = httpx2.get(f"{server.url}/metrics").text
    assert 'route="/readyz"' in counted and PREFIX not in counted


def test_an_application_that_mounts_the_server_sets_the_prefix(client: TestClient) -> None:
    outer = TestClient(Starlette(routes=[Mount("/lab", client.app)]))
    assert [server["url"] for server in outer.get("/lab/openapi.json").json()["servers"]] == ["/lab"]
    assert outer.get("/lab/v1/models").json() == client.get("/v1/models").json()
    assert outer.get("/lab/docs/assets/swagger-ui.css").headers["cache-control"] == "public, max-age=86400"
    assert outer.get("/lab/v2/models/screw").json().keys() == {"error"}


def test_own_paths_are_the_first_segments_of_all_routes(client: TestClient) -> None:
    assert isinstance(client.app, Starlette)
    assert {path.split("/")[1] for path in paths(client.app.routes)} - {""} == OWN_PATHS


def paths(routes: Iterable[BaseRoute]) -> Iterator[str]:
    for route in routes:
        if isinstance(route, Mount | Route):
            yield route.path
        else:  # a router that FastAPI has included
            yield from paths(vars(route)["original_router"].routes)
