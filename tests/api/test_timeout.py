"""Time limits of requests."""

import logging
from collections.abc import Callable
from threading import Event
from typing import Any

import httpx2
import pytest
from starlette.testclient import TestClient

from app.detectors import Features
from app.pipeline import TiledModel
from tests.waiting import WAIT_S

URL = "/v1/models/patchcore/predict"


class Holding:
    """Blocks the model's batches until `let_go`."""

    def __init__(self, model: TiledModel) -> None:
        self.reached, self._go = Event(), Event()
        run = model.run

        def run_later(tiles: object) -> Features:
            self.reached.set()
            assert self._go.wait(WAIT_S)
            return run(tiles)  # type: ignore[arg-type]  # passes its argument on

        model.run = run_later  # type: ignore[method-assign]  # simulates a busy device

    def let_go(self) -> None:
        self._go.set()


@pytest.mark.parametrize("given", ["soon", "", "0", "-1", "nan", "inf", "1e9", "1,5"])
@pytest.mark.parametrize("route", ["predict", "heatmap", "anomaly-map"])
def test_an_invalid_timeout_is_refused_with_an_example(
    client: TestClient, normal_png: bytes, given: str, route: str
) -> None:
    url = f"/v1/models/patchcore/{route}"
    answer = client.post(url, files={"image": normal_png}, headers={"X-Request-Timeout": given})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert answer.json()["errors"][0]["field"] == "header.X-Request-Timeout"
    assert "2.5" in answer.json()["detail"]


def test_a_timeout_that_is_met_changes_nothing(client: TestClient, normal_png: bytes) -> None:
    answer = client.post(URL, files={"image": normal_png}, headers={"X-Request-Timeout": "60.5"})
    assert answer.status_code == 200


@pytest.mark.parametrize("route", ["predict", "predict-batch"])
def test_a_missed_deadline_is_logged_as_information_and_not_as_an_error(
    client: TestClient, normal_png: bytes, route: str, caplog: pytest.LogCaptureFixture
) -> None:
    field = "images" if route.endswith("batch") else "image"
    headers = {"X-Request-Timeout": "0.000001", "X-Request-ID": "line-7"}
    with caplog.at_level(logging.INFO):
        client.post(f"/v1/models/patchcore/{route}", files={field: ("a.png", normal_png)}, headers=headers)
    reports = [each for each in caplog.records if "(deadline_exceeded)" in each.getMessage()]
    assert [each.levelname for each in reports] == ["INFO"] and reports[0].exc_info is None
    assert "line-7" in reports[0].getMessage()
    assert max(each.levelno for each in caplog.records) == logging.INFO


def test_the_timeout_header_is_documented(client: TestClient) -> None:
    for route in ("predict", "heatmap", "anomaly-map"):
        operation = client.get("/openapi.json").json()["paths"][f"/v1/models/{{model}}/{route}"]["post"]
        (header,) = [each for each in operation["parameters"] if each["in"] == "header"]
        assert header["name"] == "X-Request-Timeout" and "seconds" in header["description"]
        assert "504" in operation["responses"]


@pytest.mark.parametrize("settings", [{}, {"request_timeout_s": 0.3}])
def test_work_is_cancelled_at_the_deadline(
    live: Callable[..., Any], defect_png: bytes, settings: dict[str, float]
) -> None:
    server = live(cpu_lanes=1, **settings)
    worker = server.services.worker
    holding = Holding(server.services.catalogue.get("patchcore").model)
    headers = {} if settings else {"X-Request-Timeout": "0.3"}
    running = httpx2.post(server.url + URL, files={"image": defect_png}, headers=headers)
    waiting = httpx2.post(server.url + URL, files={"image": defect_png}, headers=headers)
    for answer in (running, waiting):
        assert (answer.status_code, answer.json()["code"]) == (504, "deadline_exceeded")
        assert "0.3 s" in answer.json()["detail"]
    assert holding.reached.is_set() and worker.tiles == 8  # the picture whose batch is running
    holding.let_go()
    patient = httpx2.post(server.url + URL, files={"image": defect_png}, headers={"X-Request-Timeout": "60"})
    assert patient.status_code == 200
    assert worker.tiles == 0
    assert "tessera_deadlines_missed_total 2.0" in httpx2.get(f"{server.url}/metrics").text
