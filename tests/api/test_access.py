"""Who may use the server: keys and scopes over HTTP."""

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi.routing import APIRoute
from starlette.testclient import TestClient

from app.application import build_app
from app.keys import ApiKey, Scope, digest_of, new_secret, write_keys
from app.logs import JsonFormatter
from app.settings import Settings
from tests.waiting import wait_until

NOW = datetime.now(UTC)
NAMES = ("predict", "admin", "expired", "slow", "other")
SECRETS = {name: new_secret() for name in NAMES}
PREDICT = "/v1/models/patchcore/predict"
OPEN = {"/livez", "/readyz", "/v2/health/live", "/v2/health/ready"}


def entry(name: str) -> ApiKey:
    scope = Scope.admin if name == "admin" else Scope.predict
    expires = NOW - timedelta(seconds=1) if name == "expired" else None
    return ApiKey(name, scope, digest_of(SECRETS[name]), NOW, expires, 1.0 if name == "slow" else None)


def bearer(name: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {SECRETS[name]}"}


@pytest.fixture(scope="module")
def keys_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("keys") / "keys.json"
    write_keys(path, [entry(name) for name in NAMES if name != "other"])
    return path


@pytest.fixture(scope="module")
def guarded(models_dir: Path, keys_file: Path) -> Iterator[TestClient]:
    """A client of an application with keys."""
    with TestClient(build_app(Settings(models_dir=models_dir, device="cpu", keys_file=keys_file))) as client:
        wait_until(lambda: client.get("/readyz").status_code == 200)
        yield client


def operations(client: TestClient) -> Iterator[tuple[str, str, list[Any] | None]]:
    """Yields the method, path and security of each operation of the contract."""
    for path, methods in client.get("/openapi.json").json()["paths"].items():
        for method, operation in methods.items():
            filled = path.replace("{model}", "patchcore").replace("{version}", "1")
            yield method, filled, operation.get("security")


def test_every_operation_but_probes_needs_a_key(guarded: TestClient) -> None:
    found = list(operations(guarded))
    assert {path for _, path, security in found if not security} == OPEN
    for method, path, security in found:
        answer = guarded.request(method, path)
        if not security:
            assert answer.status_code == 200, path
            continue
        assert answer.status_code == 401 and answer.headers["WWW-Authenticate"] == 'Bearer realm="tessera"', path
        body = answer.json()
        assert list(body) == ["error"] if path.startswith("/v2") else body["code"] == "key_required"
        assert guarded.head(path).status_code == 401 or method != "get"


def test_scopes_decide_what_a_key_allows(guarded: TestClient) -> None:
    changing = {"/v1/reload": "admin", "/v1/models/{model}/reload": "admin"}
    shadow = "/v1/models/{model}/shadow"
    changing_methods = {("post", "/v1/models"), ("post", shadow), ("delete", shadow)}
    changing_methods |= {("post", "/v1/models/{model}/teach"), ("put", "/v1/models/{model}/zones")}
    for method, path, security in operations(guarded):
        if not security:
            continue
        named = path.replace("patchcore", "{model}")
        needed = "review" if path.startswith("/v1/pictures") else changing.get(named)
        if path.startswith(("/v1/trainings", "/v1/teachings")) or (method, named) in changing_methods:
            needed = "admin"
        answer = guarded.request(method, path, headers=bearer("predict"))
        assert (answer.status_code == 403) == (needed is not None), path
        assert answer.status_code != 401
        if needed is not None:
            assert f'error="insufficient_scope", scope="{needed}"' in answer.headers["WWW-Authenticate"]
            assert answer.json()["code"] == "insufficient_scope" and "'predict'" in answer.text
        assert guarded.request(method, path, headers=bearer("admin")).status_code not in (401, 403), path


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ([("Authorization", f"Bearer {SECRETS['other']}")], "invalid_key"),
        ([("Authorization", f"Bearer {SECRETS['expired']}")], "invalid_key"),
        ([("Authorization", f"Bearer {digest_of(SECRETS['predict']).hex()}")], "invalid_key"),
        ([("Authorization", f"Bearer {SECRETS['predict']}"), ("Authorization", "Bearer x")], "invalid_key"),
        ([("Authorization", f"Basic {SECRETS['predict']}")], "key_required"),
        ([("Authorization", SECRETS["predict"])], "key_required"),
        ([("Authorization", "Bearer ")], "key_required"),
        ([("Authorization", "Bearer \xff")], "invalid_key"),
        ([("X-API-Key", SECRETS["predict"])], "key_required"),
    ],
)
def test_other_keys_are_refused(guarded: TestClient, headers: Sequence[tuple[str, str]], code: str) -> None:
    raw = [(name.encode(), value.encode("latin-1")) for name, value in headers]
    answer = guarded.get("/v1/models", headers=raw)
    assert answer.status_code == 401 and answer.json()["code"] == code
    assert ('error="invalid_token"' in answer.headers["WWW-Authenticate"]) == (code == "invalid_key")
    assert SECRETS["predict"] not in answer.text


def test_scheme_names_ignore_case(guarded: TestClient) -> None:
    assert guarded.get("/v1/models", headers={"Authorization": f"bearer {SECRETS['predict']}"}).status_code == 200


def test_a_request_without_a_key_is_refused_before_its_body_and_its_parameters_are_read(guarded: TestClient) -> None:
    for path in (f"{PREDICT}?none=1", "/v2/models/none/infer", "/v2/repository/index"):
        used = guarded.app.state.services.predictor._budgets.uploads.budget  # type: ignore[attr-defined]  # an app
        answer = guarded.post(path, content=b"x" * 1000, headers={"Content-Length": "999999999999"})
        assert answer.status_code == 401 and used.used == 0, path


def test_a_file_that_changes_revokes_and_admits_keys(guarded: TestClient, keys_file: Path) -> None:
    before = keys_file.read_bytes()
    write_keys(keys_file, [entry("other")])
    try:
        wait_until(lambda: guarded.get("/v1/models", headers=bearer("other")).status_code == 200)
        assert guarded.get("/v1/models", headers=bearer("admin")).status_code == 401
    finally:
        keys_file.write_bytes(before)
        wait_until(lambda: guarded.get("/v1/models", headers=bearer("admin")).status_code == 200)


def test_a_rate_of_tiles_refuses_and_says_when_to_return(guarded: TestClient, normal_png: bytes) -> None:
    answer = guarded.post(PREDICT, content=normal_png, headers=bearer("slow"))
    tiles = answer.json()["tiles"]["count"]
    answers = [
        guarded.post(path, content=normal_png, headers=bearer("slow")) for path in (PREDICT, PREDICT[:-7] + "heatmap")
    ]
    for refused in answers:
        assert refused.status_code == 429 and refused.json()["code"] == "rate_limited"
        assert tiles - 2 <= int(refused.headers["Retry-After"]) <= tiles
    inference = {"Inference-Header-Content-Length": "0", **bearer("slow")}
    assert guarded.post("/v2/models/patchcore/infer", content=normal_png, headers=inference).status_code == 429
    batch = guarded.post(
        f"{PREDICT}-batch",
        files=[("images", ("a.png", normal_png))],
        headers={"X-Request-Timeout": "0.5", **bearer("slow")},
    )
    assert batch.json()["items"][0]["problem"]["code"] == "rate_limited"
    assert guarded.post(PREDICT, content=normal_png, headers=bearer("predict")).status_code == 200


def test_keys_come_from_the_environment(models_dir: Path, keys_file: Path) -> None:
    app = build_app(Settings(models_dir=models_dir, device="cpu", api_keys=keys_file.read_text()))
    client = TestClient(app)
    assert client.get("/v1/models").status_code == 401
    assert client.get("/v1/models", headers=bearer("predict")).status_code == 200


def test_a_server_without_keys_ignores_the_header(client: TestClient) -> None:
    assert client.get("/v1/models", headers=bearer("other")).status_code == 200


def test_the_log_has_the_name_of_the_key_also_of_refused_requests_and_never_the_key(
    models_dir: Path, keys_file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    client = TestClient(build_app(Settings(models_dir=models_dir, device="cpu", keys_file=keys_file)))
    with caplog.at_level("INFO", "tessera.request"):
        statuses = [
            client.request(method, path, headers=headers).status_code
            for method, path, headers in (
                ("get", "/v1/models", bearer("predict")),
                ("post", "/v1/reload", bearer("predict")),
                ("get", "/v1/models", bearer("expired")),
                ("get", "/v1/models", bearer("other")),
                ("get", "/v1/models", {}),
            )
        ]
    assert statuses == [200, 403, 401, 401, 401]
    found = [each for each in caplog.records if each.name == "tessera.request"]
    names = [json.loads(JsonFormatter().format(each)).get("key") for each in found]
    assert names == ["predict", "predict", "expired", None, None]
    assert "key='predict' code=insufficient_scope" in found[1].getMessage()
    for secret in SECRETS.values():
        assert secret not in caplog.text


def test_the_contract_describes_the_scheme(client: TestClient) -> None:
    document = client.get("/openapi.json").json()
    scheme = document["components"]["securitySchemes"]["ApiKey"]
    assert (scheme["type"], scheme["scheme"]) == ("http", "bearer")
    reload = document["paths"]["/v1/reload"]["post"]
    assert reload["security"] == [{}, {"ApiKey": []}] and "`admin`" in reload["description"]
    assert {"401", "403"} <= set(reload["responses"])
    assert json.dumps(document).count("WWW-Authenticate") > 5


def test_every_route_of_the_api_says_who_may_use_it(client: TestClient) -> None:
    """A new router needs a key unless it is listed as open."""
    app: Any = client.app
    for route in app.routes:
        if isinstance(route, APIRoute) and route.path.startswith(("/v1", "/v2")) and route.path not in OPEN:
            names = [getattr(each.call, "__name__", "") for each in route.dependant.dependencies]
            assert "_require_key" in names, route.path
