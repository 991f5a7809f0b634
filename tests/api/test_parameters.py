"""Query parameters that a route does not have, or that are repeated."""

from collections.abc import Callable
from contextlib import closing
from http.client import HTTPConnection
from typing import Any

import pytest
from starlette.testclient import TestClient

from app.api.parameters import query_parameters
from app.similar import nearest
from tests.running import Live

MODEL = "/v1/models/patchcore"
PICTURE = "/v1/jobs/1/pictures/0"
KEPT = "/v1/pictures/0"
GET = [
    *("/livez", "/readyz", "/metrics", "/v1/models", MODEL, "/v2", "/v2/health/live", "/v2/health/ready"),
    *("/v2/models/patchcore", "/v2/models/patchcore/ready", "/v2/models/patchcore/versions/2"),
    *("/v2/models/patchcore/versions/2/ready", f"{MODEL}/health", f"{MODEL}/normal-pictures/0"),
    *("/v1/jobs", "/v1/jobs/1", "/v1/jobs/1/events", PICTURE, f"{PICTURE}/result", f"{PICTURE}/regions"),
    *("/v1/pictures", KEPT, f"{KEPT}/file", f"{KEPT}/shown", f"{KEPT}/heatmap"),
    *(f"{PICTURE}/pyramid", f"{PICTURE}/files/mask", f"{PICTURE}/tiles/mask/0/0/0"),
    *(f"{MODEL}/shadow", "/v1/trainings", "/v1/trainings/1", "/v1/trainings/1/events"),
    *("/v1/teachings", "/v1/teachings/1", "/v1/teachings/1/events", f"{MODEL}/zones"),
]
POST = [
    *(f"{MODEL}/predict", f"{MODEL}/predict-batch", f"{MODEL}/heatmap", f"{MODEL}/anomaly-map", f"{MODEL}/reload"),
    *("/v1/reload", "/v2/models/patchcore/infer", "/v2/models/patchcore/versions/2/infer", "/v2/repository/index"),
    *("/v1/jobs", "/v1/models", f"{MODEL}/stream", f"{MODEL}/shadow"),
    *(f"{MODEL}/teach", "/v1/teachings/1/decision"),
]
ROUTES = [
    *(("GET", path) for path in GET),
    *(("POST", path) for path in POST),
    *(("DELETE", "/v1/jobs/1"), ("PATCH", PICTURE), ("DELETE", f"{MODEL}/shadow"), ("DELETE", "/v1/trainings/1")),
    *(("DELETE", KEPT), ("PUT", f"{KEPT}/review"), ("DELETE", f"{KEPT}/review")),
    *(("DELETE", "/v1/teachings/1"), ("PUT", f"{MODEL}/zones")),
]


def refusal(client: TestClient, method: str, url: str) -> str:
    answer = client.request(method, url)
    assert answer.status_code == 422, answer.text
    body = answer.json()
    return str(body["error"] if "/v2" in url else body["detail"])


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_unknown_parameters_are_refused_by_name_on_every_route(client: TestClient, method: str, path: str) -> None:
    assert "'nonsense'" in refusal(client, method, f"{path}?nonsense=1")


def test_the_table_of_routes_above_is_complete(client: TestClient) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    values = {
        "model": "patchcore",
        "version": 2,
        "job": 1,
        "training": 1,
        "teaching": 1,
        "number": 0,
        "picture": 0,
        "layer": "mask",
        "level": 0,
        "x": 0,
        "y": 0,
    }
    assert {(method.upper(), path.format(**values)) for path, each in paths.items() for method in each} == {*ROUTES}


@pytest.mark.parametrize(
    ("route", "name", "meant"),
    [
        ("predict", "treshold", "threshold"),
        ("predict", "Threshold", "threshold"),
        ("predict", "min-region-area", "min_region_area"),
        ("predict", "minRegionArea", "min_region_area"),
        ("predict", "includes", "include"),
        ("predict-batch", "verison", "version"),
        ("heatmap", "colourmap", "colormap"),
        ("heatmap", "opactiy", "opacity"),
        ("anomaly-map", "normalized", "normalised"),
        ("anomaly-map", "fromat", "format"),
        ("anomaly-map", "roi_", "roi"),
    ],
)
def test_the_nearest_parameter_is_suggested_and_all_are_listed(
    client: TestClient, normal_png: bytes, route: str, name: str, meant: str
) -> None:
    answer = client.post(f"{MODEL}/{route}?{name}=0.3&threshold=0.4", files={"image": normal_png})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    (error,) = answer.json()["errors"]
    assert error["field"] == f"query.{name}" and f"did you mean '{meant}'?" in error["message"]
    operation = client.get("/openapi.json").json()["paths"][f"/v1/models/{{model}}/{route}"]["post"]
    known = [each["name"] for each in operation["parameters"] if each["in"] == "query"]
    assert error["message"].endswith(f"available: {', '.join(known)}")


@pytest.mark.parametrize(
    ("query", "content_type", "status"), [("treshold=1", "image/png", 422), ("threshold=1", "text/plain", 415)]
)
def test_clients_that_read_only_after_sending_get_the_refusal_of_a_large_upload(
    live: Callable[..., Live], query: str, content_type: str, status: int
) -> None:
    with closing(HTTPConnection(live().url.removeprefix("http://"), timeout=60)) as connection:
        connection.request("POST", f"{MODEL}/predict?{query}", bytes(30_000_000), {"Content-Type": content_type})
        assert connection.getresponse().status == status


def test_every_unknown_parameter_is_listed(client: TestClient) -> None:
    answer = client.post(f"{MODEL}/predict?one=1&two&=3&one=2")
    assert [error["field"] for error in answer.json()["errors"]] == ["query.one", "query.two", "query."]


@pytest.mark.parametrize(
    "query", ["threshold=0.3&threshold=0.4", "version=1&version=1", "opacity=1&roi=1,1,9,9&opacity=1"]
)
def test_a_repeated_parameter_is_refused_by_name(client: TestClient, normal_png: bytes, query: str) -> None:
    answer = client.post(f"{MODEL}/heatmap?{query}", files={"image": normal_png})
    (error,) = answer.json()["errors"]
    assert answer.status_code == 422 and error["field"] == f"query.{query.partition('=')[0]}"
    assert "2 times" in error["message"]


def test_lists_may_be_repeated(client: TestClient, normal_png: bytes) -> None:
    answer = client.post(
        f"{MODEL}/predict?include=tiles&include=mask&roi=8&roi=8&roi=64&roi=64", files={"image": normal_png}
    )
    assert answer.status_code == 200 and {"tiles", "mask_png"} & answer.json().keys(), answer.text


@pytest.mark.parametrize("path", ["/", "/docs", "/openapi.json", "/page/examples", "/docs/assets/swagger-ui.css"])
def test_links_of_pages_may_have_parameters(client: TestClient, path: str) -> None:
    assert client.get(f"{path}?utm_source=mail").status_code == 200


def test_the_known_parameters_are_those_of_the_contract(client: TestClient) -> None:
    app: Any = client.app
    for path, operations in app.openapi()["paths"].items():
        for operation in operations.values():
            documented = {
                each["name"]: each["schema"].get("type") == "array"
                for each in operation.get("parameters", [])
                if each["in"] == "query"
            }
            assert query_parameters(_endpoint(app, operation["operationId"])) == documented, path


def _endpoint(app: Any, name: str) -> Any:
    routers = (vars(route).get("original_router") for route in app.routes)
    return next(route.endpoint for router in routers if router for route in router.routes if route.name == name)


def test_the_nearest_name_ignores_case_and_separators_and_is_absent_if_none_is_near() -> None:
    assert nearest("MIN-REGION_area", ["min_region_area", "roi"]) == "min_region_area"
    assert nearest("utm_source", ["threshold", "roi"]) is None
    assert nearest("x" * 10**6, ["threshold"]) is None


@pytest.mark.parametrize("accept", ["application/xml", "", "*/*;q=much", ";;,=", "text/html, */*; q=0", "a" * 5000])
def test_any_accept_is_answered(client: TestClient, normal_png: bytes, accept: str) -> None:
    for route, field in (("predict", "image"), ("heatmap", "image"), ("predict-batch", "images")):
        answer = client.post(f"{MODEL}/{route}", files={field: normal_png}, headers={"Accept": accept})
        assert answer.status_code == 200
