"""The autoscaler's metrics exist, and the adapter's rules compute them."""

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from app.sizing import BUSY_SHARE
from tests.kubernetes.rendering import EXAMPLES, ROOT, SERVERS, needs_kubectl, only
from tests.test_observe_example import LABELS, needs_promtool

RULES: list[dict[str, Any]] = yaml.safe_load((EXAMPLES / "monitoring/adapter.yaml").read_text())["rules"]
NAMES = {rule["name"]["as"]: rule for rule in RULES}
POD = 'namespace="tessera",pod="{pod}"'


def query(rule: dict[str, Any]) -> str:
    """What the adapter asks Prometheus for the metric of all Pods of a namespace."""
    text: str = rule["metricsQuery"]
    series = rule["seriesQuery"].partition("{")[0]
    for name, value in (("Series", series), ("LabelMatchers", 'namespace="tessera"'), ("GroupBy", "pod")):
        assert f"<<.{name}>>" in text
        text = text.replace(f"<<.{name}>>", value)
    assert "<<" not in text
    return text


@needs_kubectl
@pytest.mark.parametrize("folder", SERVERS)
def test_the_adapter_has_every_metric_of_the_autoscaler(folder: str) -> None:
    metrics = only(folder, "HorizontalPodAutoscaler")["spec"]["metrics"]
    assert {each["pods"]["metric"]["name"] for each in metrics} == NAMES.keys()
    targets = {each["pods"]["metric"]["name"]: each["pods"]["target"]["averageValue"] for each in metrics}
    assert targets["tessera_busy_share"] == f"{BUSY_SHARE * 1000:.0f}m"


@pytest.mark.parametrize("name", NAMES)
def test_rules_read_metrics_of_the_server(name: str) -> None:
    rule = NAMES[name]
    series, _, matchers = rule["seriesQuery"].partition("{")
    assert series in LABELS and matchers == 'namespace!="",pod!=""}'
    assert rule["resources"]["overrides"] == {each: {"resource": each} for each in ("namespace", "pod")}
    other = query(rule).replace(series, "").split("tessera_")[1:]
    assert all(f"tessera_{each.partition('{')[0]}" in LABELS for each in other if "{" in each)


@needs_promtool
def test_rules_compute_the_wait_and_the_busy_share_of_each_pod(tmp_path: Path) -> None:
    """One Pod waits and computes with one of two lanes, the other Pod is idle."""
    series = {
        f"tessera_queue_seconds{{{POD}}}": ("4x20", "0x20"),
        f'tessera_device_busy_seconds_total{{{POD},device="cpu",work="batch"}}': ("0+10x20", "0x20"),
        f'tessera_device_busy_seconds_total{{{POD},device="cpu",work="step"}}': ("0+5x20", "0x20"),
        f'tessera_device_lanes{{{POD},device="cpu"}}': ("2x20", "2x20"),
    }
    expected = {"tessera_queue_seconds": (4.0, 0.0), "tessera_busy_share": (0.5, 0.0)}
    test = {
        "interval": "15s",
        "input_series": [
            {"series": name.replace("{pod}", pod), "values": values[at]}
            for name, values in series.items()
            for at, pod in enumerate("ab")
        ],
        "promql_expr_test": [
            {
                "expr": query(NAMES[name]),
                "eval_time": "5m",
                "exp_samples": [
                    {"labels": f'{{pod="{pod}"}}', "value": value} for pod, value in zip("ab", values, strict=True)
                ],
            }
            for name, values in expected.items()
        ],
    }
    file = tmp_path / "tests.yml"
    file.write_text(yaml.safe_dump({"evaluation_interval": "15s", "tests": [test]}))
    subprocess.run(["promtool", "test", "rules", str(file)], check=True)


@needs_kubectl
def test_prometheus_reads_the_port_of_the_service_with_a_key() -> None:
    monitor = only("monitoring", "ServiceMonitor")
    assert monitor["apiVersion"] == "monitoring.coreos.com/v1"
    assert monitor["spec"].keys() == {"jobLabel", "selector", "endpoints"}
    (endpoint,) = monitor["spec"]["endpoints"]
    assert endpoint.keys() == {"port", "path", "interval", "scrapeTimeout", "authorization"}
    service = only("base", "Service")
    assert endpoint["port"] in {each["name"] for each in service["spec"]["ports"]}
    assert endpoint["path"] == "/metrics"
    assert endpoint["authorization"] == {"type": "Bearer", "credentials": {"name": "tessera-metrics", "key": "key"}}
    label = monitor["spec"]["jobLabel"]
    job = yaml.safe_load((ROOT / "examples/observe/prometheus.yml").read_text())["scrape_configs"][0]["job_name"]
    assert service["metadata"]["labels"][label] == job
