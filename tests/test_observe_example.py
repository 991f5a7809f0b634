"""The dashboard and the alerts of examples/observe query metrics and labels that exist."""

import json
import re
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml

from app.metric_table import METRICS

FOLDER = Path(__file__).parent.parent / "examples/observe"
LABELS = {info.exposed: set(info.labels) for info in METRICS if info.kind != "histogram"} | {
    f"{info.name}_{part}": {*info.labels, *(["le"] if part == "bucket" else [])}
    for info in METRICS
    if info.kind == "histogram"
    for part in ("bucket", "sum", "count")
}
RULES = [rule for group in yaml.safe_load((FOLDER / "alerts.yml").read_text())["groups"] for rule in group["rules"]]
PANELS = json.loads((FOLDER / "grafana/dashboard.json").read_text())["panels"]
QUERIES = {rule["alert"]: rule["expr"] for rule in RULES} | {
    panel["title"]: target["expr"] for panel in PANELS for target in panel["targets"]
}

needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="no promtool: scripts/install_prometheus.sh installs Debian's package"
)


@pytest.mark.parametrize("name", QUERIES)
def test_every_query_names_metrics_and_labels_that_exist(name: str) -> None:
    query = QUERIES[name]
    metrics = set(re.findall(r"\btessera_\w+", query))
    assert metrics and metrics <= LABELS.keys()
    for metric, matchers in re.findall(r"(tessera_\w+)\{([^}]*)\}", query):
        assert set(re.findall(r"(\w+)\s*[=!]", matchers)) <= LABELS[metric]
    for group in re.findall(r"\bby \(([^)]*)\)", query):
        labels = {each.strip() for each in group.split(",")}
        assert all(labels <= LABELS[metric] for metric in metrics)


def test_every_alert_says_what_to_do() -> None:
    documented = (FOLDER.parent.parent / "docs/operations.md").read_text()
    for rule in RULES:
        assert rule["annotations"]["action"].endswith(".") and f"`{rule['alert']}`" in documented


@needs_promtool
def test_promtool_accepts_the_rules() -> None:
    subprocess.run(["promtool", "check", "rules", str(FOLDER / "alerts.yml")], check=True)


@needs_promtool
def test_promtool_accepts_the_configuration(tmp_path: Path) -> None:
    text = (FOLDER / "prometheus.yml").read_text()
    assert "/etc/prometheus/alerts.yml" in text
    config = tmp_path / "prometheus.yml"
    config.write_text(text.replace("/etc/prometheus", str(FOLDER)))
    subprocess.run(["promtool", "check", "config", "--lint-fatal", str(config)], check=True)


@dataclass(frozen=True)
class Course:
    """What a server reports, and when an alert fires for it.

    series: the values of each series, one a minute, in promtool's notation: `0+2x10` rises by 2 ten times
    fires: a minute in which the alert fires; None: it does not fire
    quiet: a minute shortly before, in which it does not fire. Where ranges matter, it is two minutes before:
        Prometheus 3 does not count the start of a range, and fires a minute earlier.
    labels: labels of the alert, besides those of its rule
    """

    alert: str
    series: dict[str, str]
    fires: int | None
    quiet: int
    labels: dict[str, str] = field(default_factory=dict)


DAY = 24 * 60
PICTURES = 'tessera_verdicts_total{model="m",version="1",label="normal"}'
REJECTS = 'tessera_verdicts_total{model="m",version="1",label="anomalous"}'
KILLED = 'tessera_decoders_replaced_total{reason="killed"}'
FULL = 'tessera_refusals_total{limit="queue_tiles"}'
SUM, COUNT = (f'tessera_score_{part}{{model="m",version="1"}}' for part in ("sum", "count"))
CAMERA = 'tessera_camera_changed{model="m",version="1",cause="light"}'
COURSES = {
    "one reject in 100 pictures becomes one in 5": Course(
        "RejectRateJumped",
        {PICTURES: f"0+10x{DAY + 60}", REJECTS: f"0+0.1x{DAY} 146+2x60"},
        DAY + 8,
        DAY + 6,
        {"model": "m"},
    ),
    "the first rejects ever": Course(
        "RejectRateJumped",
        {PICTURES: f"0+10x{DAY + 60}", REJECTS: f"0x{DAY} 2+2x60"},
        DAY + 7,
        DAY + 5,
        {"model": "m"},
    ),
    "many rejects among few pictures": Course(
        "RejectRateJumped", {PICTURES: f"0+2x{DAY + 60}", REJECTS: f"0x{DAY} 1+1x60"}, None, DAY + 40
    ),
    "the camera stops after an hour": Course("NoPictures", {PICTURES: "0+1x60 60x60"}, 70, 68),
    "the server is not there": Course("NoPictures", {}, 5, 4),
    "the server ends after an hour": Course("NoPictures", {PICTURES: "0+1x60 stale"}, 66, 64),
    "a picture every four minutes": Course("NoPictures", {PICTURES: "1x3 2x3 3x3 4x3 5x3 6x3 7x3"}, None, 27),
    "a device fails": Course("DeviceFailing", {'tessera_device_healthy{device="d"}': "1x5 0x9"}, 7, 6, {"device": "d"}),
    "a device computes NaN once": Course(
        "DeviceFailing", {'tessera_not_finite_pictures_total{device="d"}': "0x5 1x9"}, 7, 6, {"device": "d"}
    ),
    "refusals go on": Course("QueueFull", {FULL: "0x5 1+1x20"}, 11, 9, {"limit": "queue_tiles"}),
    "one refusal": Course("QueueFull", {FULL: "0x5 1x20"}, None, 11),
    "pictures wait for over a minute": Course("QueueFull", {"tessera_queue_seconds": "0x5 61x20"}, 11, 9),
    "three decoders are killed": Course("DecoderKills", {KILLED: "0x5 1 2 3x20"}, 8, 6),
    "clients leave": Course("DecoderKills", {KILLED.replace("killed", "given_up"): "0+5x20"}, None, 20),
    "the record cannot be written": Course("RecordNotWritten", {"tessera_verdict_record_waiting": "0x5 5+5x20"}, 8, 6),
    "a line of the record is dropped": Course(
        "RecordNotWritten",
        {'tessera_verdict_record_lines_total{result="dropped"}': "0x5 1x20"},
        7,
        6,
        {"result": "dropped"},
    ),
    "scores rise by 0.2": Course(
        "ScoresDrift",
        {SUM: f"0+2x{DAY} {2 * DAY + 4}+4x120", COUNT: f"0+10x{DAY + 120}"},
        DAY + 63,
        DAY + 57,
        {"model": "m", "version": "1"},
    ),
    "scores rise by 0.05": Course(
        "ScoresDrift", {SUM: f"0+2x{DAY} {2 * DAY + 2.5}+2.5x120", COUNT: f"0+10x{DAY + 120}"}, None, DAY + 120
    ),
    "the lamp has become brighter": Course(
        "CameraChanged", {CAMERA: "0x5 1x9"}, 6, 5, {"model": "m", "version": "1", "cause": "light"}
    ),
    "the camera is the same": Course("CameraChanged", {CAMERA.replace("light", "none"): "0x20"}, None, 20),
    "a version is refused": Course(
        "ModelRefused", {'tessera_models{state="failed"}': "0x5 1x9"}, 11, 9, {"state": "failed"}
    ),
}


def course_test(name: str, course: Course) -> dict[str, object]:
    """A test of `promtool test rules`."""
    (rule,) = [rule for rule in RULES if rule["alert"] == course.alert]
    alert = {"exp_labels": rule["labels"] | course.labels, "exp_annotations": rule["annotations"]}
    expected: dict[int, list[object]] = {course.quiet: []} | (
        {course.fires: [alert]} if course.fires is not None else {}
    )
    return {
        "name": name,
        "interval": "1m",
        "input_series": [{"series": series, "values": values} for series, values in course.series.items()],
        "alert_rule_test": [
            {"eval_time": f"{minute}m", "alertname": course.alert, "exp_alerts": alerts}
            for minute, alerts in expected.items()
        ],
    }


@needs_promtool
def test_alerts_fire_when_they_should(tmp_path: Path) -> None:
    tests = [course_test(name, course) for name, course in COURSES.items()]
    rules = str(FOLDER / "alerts.yml")
    file = tmp_path / "tests.yml"
    file.write_text(yaml.safe_dump({"rule_files": [rules], "evaluation_interval": "1m", "tests": tests}))
    subprocess.run(["promtool", "test", "rules", str(file)], check=True)


def test_every_alert_has_a_course() -> None:
    assert {course.alert for course in COURSES.values() if course.fires is not None} == {
        rule["alert"] for rule in RULES
    }
