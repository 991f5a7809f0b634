"""Writes docs/metrics.md from the table of metrics: python -m scripts.contract.metrics."""

from pathlib import Path

from app.metric_table import METRICS, MetricInfo

PLACE = Path(__file__).parent.parent.parent / "docs/metrics.md"
HEAD = """# Metrics

`GET /metrics` answers in Prometheus' text format. On Linux it also has metrics of the process (`process_*`).
This page is made from `app/metric_table` by `make metrics`.

| metric | type, unit | labels | what is measured | what a change means |
|---|---|---|---|---|
"""


def text() -> str:
    """The page."""
    return HEAD + "".join(map(_row, METRICS))


def _row(info: MetricInfo) -> str:
    labels = ", ".join(f"`{label}`" for label in info.labels)
    return f"| `{info.exposed}` | {info.kind}, {info.unit} | {labels} | {info.help} | {info.change} |\n"


if __name__ == "__main__":
    PLACE.write_text(text())
