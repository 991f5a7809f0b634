"""Requests that pages of other sites make browsers send."""

import re
from base64 import b64encode
from collections.abc import Callable
from functools import cache
from hashlib import sha256

import pytest
from starlette.testclient import TestClient

from app.application import build_app
from app.settings import Settings

PREDICT = "/v1/models/patchcore/predict"
POSTS = [PREDICT, f"{PREDICT}-batch", "/v1/reload", "/v2/models/patchcore/infer", "/v2/repository/index"]
EVIL = "https://evil.example"


Build = Callable[..., TestClient]


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Build:
    """A function that returns a client of an application with the given settings: the same for the same settings.

    The application is not started: a request that passes gets another status than 403 and 421.
    """
    folder = tmp_path_factory.mktemp("models")

    @cache
    def client(**settings: object) -> TestClient:
        values = {"models_dir": folder, "device": "cpu"} | settings
        return TestClient(build_app(Settings.model_validate(values)), base_url="http://localhost:8000")

    return client


@pytest.mark.parametrize("path", POSTS)
@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site", "Origin": "http://localhost:3000"},
        {"Sec-Fetch-Site": "cross-site", "Origin": "http://localhost:8000"},
        {"Origin": EVIL},
        {"Origin": "null"},
        {"Origin": "http://localhost.evil.example"},
        {"Origin": "http://["},
        {"Origin": EVIL, "X-Forwarded-Host": "plant.example"},
    ],
)
def test_posts_from_pages_of_other_origins_are_refused(build: Build, path: str, headers: dict[str, str]) -> None:
    answer = build().post(path, content=b"x", headers=headers)
    assert answer.status_code == 403 and "cors_origins" in answer.text and answer.headers["X-Request-ID"]
    assert list(answer.json()) == ["error"] if path.startswith("/v2") else answer.json()["code"] == "cross_site"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Sec-Fetch-Site": "none"},
        {"Sec-Fetch-Site": "same-origin", "Origin": "https://plant.example"},  # a proxy replaced the host
        {"Origin": "http://localhost:8000"},
        {"Origin": "http://LOCALHOST:9000"},
        {"Origin": "https://plant.example", "X-Forwarded-Host": "plant.example, inner"},
        {"Origin": "https://line3.example", "Sec-Fetch-Site": "cross-site"},
    ],
)
def test_other_posts_are_not_refused(build: Build, headers: dict[str, str]) -> None:
    client = build(cors_origins="https://line3.example")
    assert client.post(PREDICT, content=b"x", headers=headers).status_code == 503  # no model is loaded


def test_pages_of_all_origins_may_post_if_the_operator_says_so(build: Build) -> None:
    headers = {"Origin": EVIL, "Sec-Fetch-Site": "cross-site"}
    assert build(cors_origins="*").post(PREDICT, content=b"x", headers=headers).status_code == 503
    assert build().get("/livez", headers=headers).status_code == 200


LOCAL = ["localhost", "localhost:9", "x", "tessera:8000", "127.0.0.1", "10.1.2.3:80", "[::1]:8000", "a.localhost"]


@pytest.mark.parametrize("listener", ["127.0.0.1", "localhost", "::1", "0.0.0.0"])
@pytest.mark.parametrize(
    "host", [*LOCAL, "evil.example", "evil.example:8000", "127.0.0.1.evil.example", "a b.c", "[::1"]
)
def test_a_server_on_a_loopback_address_refuses_names_of_sites(build: Build, listener: str, host: str) -> None:
    is_known = host in LOCAL or listener == "0.0.0.0"
    for path in ("/livez", "/v1/models", "/openapi.json", "/", "/v2"):
        answer = build(host=listener).get(path, headers={"Host": host})
        assert (answer.status_code == 421) != is_known, (path, answer.status_code)
        assert is_known or "allowed_hosts" in answer.text


@pytest.mark.parametrize(
    ("settings", "known"),
    [
        ({"allowed_hosts": "plant.example, b.example"}, True),
        ({"allowed_hosts": "*"}, True),
        ({"cors_origins": "https://plant.example"}, True),
        ({"allowed_hosts": "b.example"}, False),
        ({"allowed_hosts": "b.example", "host": "0.0.0.0"}, False),
    ],
)
def test_the_operator_names_other_hosts(build: Build, settings: dict[str, object], known: bool) -> None:
    client = build(**settings)
    assert client.get("/livez", headers={"Host": "Plant.example:443"}).status_code == (200 if known else 421)
    assert client.get("/livez", headers={"Host": "10.0.0.7"}).status_code == 200


def test_the_documentation_has_a_policy_that_its_own_script_satisfies(client: TestClient) -> None:
    answer = client.get("/docs")
    policy = answer.headers["Content-Security-Policy"]
    (script,) = re.findall(r"<script>(.*?)</script>", answer.text, re.DOTALL)
    assert f"'sha256-{b64encode(sha256(script.encode()).digest()).decode()}'" in policy
    assert "default-src 'self'" in policy and "frame-ancestors 'self'" in policy
    assert all("Content-Security-Policy" in client.get(path).headers for path in ("/", "/docs", "/openapi.json"))


@pytest.mark.parametrize(
    "path", ["/", "/docs", "/docs/assets/swagger-ui.css", "/openapi.json", "/livez", "/v1/models", "/v2", "/no", "/v2/"]
)
def test_every_response_has_security_headers(client: TestClient, path: str) -> None:
    headers = client.get(path, follow_redirects=False).headers
    assert headers["X-Content-Type-Options"] == "nosniff" and headers["Referrer-Policy"] == "no-referrer"
    assert headers["X-Frame-Options"] == "SAMEORIGIN"
