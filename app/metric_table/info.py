"""What describes one metric."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""Bounds of the buckets of durations within a request."""


@dataclass(frozen=True, slots=True)
class MetricInfo:
    """A metric, and how to read it.

    name: the name in `/metrics`, which appends `_total` to the name of a counter
    kind: the type of the metric
    unit: the unit of the value
    help: what is measured
    change: what a rise or a fall of the value means
    labels: the names of the labels
    buckets: the upper bounds of a histogram's buckets
    """

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    unit: str
    help: str
    change: str
    labels: Sequence[str] = ()
    buckets: Sequence[float] = ()

    @property
    def exposed(self) -> str:
        """The name in queries."""
        return f"{self.name}_total" if self.kind == "counter" else self.name
