"""Requests that are not answered in time."""

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
    """Holds the model's batches until it is let go."""

    def __init__(self, model: TiledModel) -> None:
        self.reached, self._go = Event(), Event()
        run = model.run

        def run_later(tiles: object) -> Features:
            self.reached.set()
            assert self._go.wait(WAIT_S)
            return run(tiles)  # type: ignore[arg-type]  # whatever the model is given

        model.run = run_later  # type: ignore[method-assign]  # stands for a device that has much to do

    def let_go(self) -> None:
        self._go.set()


@pytest.mark.parametrize("given", ["soon", "", "0", "-1", "nan", "inf", "1e9", "1,5"])
@pytest.mark.parametrize("route", ["predict", "heatmap", "anomaly-map"])
def test_a_timeout_that_is_none_is_refused_with_what_would_work(
    client: TestClient, normal_png: bytes, given: str, route: str
) -> None:
    url = f"/v1/models/patchcore/{route}"
    answer = client.post(url, files={"image": normal_png}, headers={"X-Request-Timeout": given})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert answer.json()["errors"][0]["field"] == "header.X-Request-Timeout"
    assert "such as 2.5" in answer.json()["detail"]


def test_a_timeout_that_is_kept_changes_nothing(client: TestClient, normal_png: bytes) -> None:
    answer = client.post(URL, files={"image": normal_png}, headers={"X-Request-Timeout": "60.5"})
    assert answer.status_code == 200


@pytest.mark.parametrize("route", ["predict", "predict-batch"])
def test_a_deadline_that_is_missed_is_told_and_is_no_error_of_the_server(
    client: TestClient, normal_png: bytes, route: str, caplog: pytest.LogCaptureFixture
) -> None:
    field = "images" if route.endswith("batch") else "image"
    headers = {"X-Request-Timeout": "0.000001", "X-Request-ID": "line-7"}
    with caplog.at_level(logging.INFO):
        client.post(f"/v1/models/patchcore/{route}", files={field: ("a.png", normal_png)}, headers=headers)
    told = [each for each in caplog.records if "line-7 failed (deadline_exceeded)" in each.getMessage()]
    assert [each.levelname for each in told] == ["INFO"] and told[0].exc_info is None
    assert max(each.levelno for each in caplog.records) == logging.INFO


def test_the_header_is_described(client: TestClient) -> None:
    for route in ("predict", "heatmap", "anomaly-map"):
        operation = client.get("/openapi.json").json()["paths"][f"/v1/models/{{model}}/{route}"]["post"]
        (header,) = [each for each in operation["parameters"] if each["in"] == "header"]
        assert header["name"] == "X-Request-Timeout" and "seconds" in header["description"]
        assert "504" in operation["responses"]


@pytest.mark.parametrize("settings", [{}, {"request_timeout_s": 0.3}])
def test_work_is_given_back_when_the_time_is_over(
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
        assert "within 0.3 s" in answer.json()["detail"]
    assert holding.reached.is_set() and worker.tiles == 8  # the batch that is running, whose picture nobody awaits
    holding.let_go()
    patient = httpx2.post(server.url + URL, files={"image": defect_png}, headers={"X-Request-Timeout": "60"})
    assert patient.status_code == 200
    assert worker.tiles == 0
    assert "tessera_deadlines_missed_total 2.0" in httpx2.get(f"{server.url}/metrics").text
