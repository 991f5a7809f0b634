"""The dashboard and the alerts of examples/observe query metrics and labels that exist."""

import json
import re
import shutil
import subprocess
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


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_promtool_accepts_the_rules() -> None:
    subprocess.run(["promtool", "check", "rules", str(FOLDER / "alerts.yml")], check=True)
