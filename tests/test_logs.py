"""The log: one line for each message and request, which no client can forge."""

import json
import logging
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from app.application import build_app
from app.logs import JsonFormatter, TextFormatter
from app.settings import Settings
from tests.waiting import wait_until

HOSTILE = "x\nINFO tessera: forged\r\x1b[2J\u2028end\x85"


def message(text: str) -> logging.LogRecord:
    try:
        raise ValueError(text)
    except ValueError as error:
        info = (type(error), error, error.__traceback__)
    return logging.LogRecord("tessera", logging.ERROR, __file__, 1, "failed: %s", (text,), info)


def test_a_message_cannot_look_like_a_line_of_its_own() -> None:
    first, *trace = TextFormatter().format(message(HOSTILE)).split("\n")
    assert first.endswith("failed: x\\nINFO tessera: forged\\r\\x1b[2J\\u2028end\\x85")
    assert trace and all(line.startswith("    ") for line in trace)
    whole = JsonFormatter().format(message(HOSTILE))
    assert whole.isascii() and whole.isprintable()
    entry = json.loads(whole)
    assert entry["message"] == f"failed: {HOSTILE}" and "ValueError" in entry["exception"]


def requests(caplog: pytest.LogCaptureFixture, form: logging.Formatter) -> list[str]:
    return [form.format(each) for each in caplog.records if each.name == "tessera.request"]


@pytest.fixture(scope="module")
def recorded(models_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[TestClient, Path]:
    path = tmp_path_factory.mktemp("record") / "record.jsonl"
    return TestClient(build_app(Settings(models_dir=models_dir, device="cpu", verdict_record=path))), path


def test_a_prediction_is_one_line_with_what_was_judged(
    recorded: tuple[TestClient, Path], defect_png: bytes, normal_png: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    client, path = recorded
    with client, caplog.at_level(logging.INFO):
        wait_until(lambda: client.get("/readyz").status_code == 200)
        body = client.post("/v1/models/patchcore/predict", files={"image": defect_png}, headers={"X-Request-ID": "one"})
        pictures = [("images", defect_png), ("images", normal_png)]
        assert client.post("/v1/models/patchcore/predict-batch", files=pictures).status_code == 200
        client.post("/v1/models/no%0Ane/predict", files={"image": defect_png})
        client.post("/v1/models/patchcore/predict", files={"image": b"no picture"})
        client.get("/")
        client.get("/metrics")
        scrape = client.get("/metrics").text
    one, batch, missing, broken = map(json.loads, requests(caplog, JsonFormatter()))
    answer = body.json()
    assert one["request_id"] == "one" and one["status"] == 200 and one["route"] == "/v1/models/{model}/predict"
    assert (one["model"], one["version"], one["digest"]) == ("patchcore", 2, answer["model"]["digest"])
    assert (one["height"], one["width"], one["tiles"]) == (96, 160, answer["tiles"]["count"])
    assert (one["label"], one["score"]) == (answer["label"], round(answer["score"], 6))
    for stage in ("decode", "queue", "device", "render"):
        assert one[f"{stage}_ms"] == pytest.approx(answer["timing_ms"][stage], abs=0.01)
    assert (batch["pictures"], batch["anomalous"]) == (2, 1)
    assert (missing["status"], missing["code"]) == (404, "model_not_found")
    assert (broken["status"], broken["code"]) == (415, "unsupported_image")
    lines = requests(caplog, TextFormatter())
    assert len(lines) == 4 and not any("\n" in each for each in lines)
    assert "served=patchcore/2" in lines[0] and "label=anomalous" in lines[0]
    assert "size=160x96" in lines[0]
    kept = [json.loads(each) for each in path.read_text().splitlines()]
    assert kept[0]["score"] == answer["score"] and len(kept) == 3
    assert kept[0]["picture_sha256"] == kept[1]["picture_sha256"] != kept[2]["picture_sha256"]
    assert kept[0]["request_id"] == "one" and kept[1]["request_id"] == batch["request_id"]
    assert 'tessera_verdicts_total{label="anomalous",model="patchcore",version="2"} 2.0' in scrape


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", True),
        ("00-00000000000000000000000000000000-00f067aa0ba902b7-01", False),
        ("ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", False),
        ("00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01", False),
    ],
)
def test_the_trace_id_is_the_request_id(recorded: tuple[TestClient, Path], given: str, kept: bool) -> None:
    answered = recorded[0].get("/livez", headers={"traceparent": given}).headers["X-Request-ID"]
    assert (answered == "4bf92f3577b34da6a3ce929d0e0e4736") is kept
