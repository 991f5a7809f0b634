"""The metrics of several replicas as one text in Prometheus' format."""

from collections.abc import Iterator, Mapping

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

LABEL = "replica"


def merge(texts: Mapping[str, str | None]) -> bytes:
    """The metrics of all replicas, each with the label `replica`, and `tessera_replica_up`.

    texts: the metrics of each replica by its name; None: the replica did not answer
    """
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Merged(texts))
    return generate_latest(registry)


class _Merged(Collector):
    def __init__(self, texts: Mapping[str, str | None]) -> None:
        self._texts = texts

    def collect(self) -> Iterator[Metric]:
        up = GaugeMetricFamily(
            "tessera_replica_up", "Whether the replica answered this scrape: 1, or 0.", labels=(LABEL,)
        )
        merged: dict[str, Metric] = {}
        for name, text in sorted(self._texts.items()):
            up.add_metric((name,), float(text is not None))
            for family in text_string_to_metric_families(text or ""):
                known = merged.setdefault(family.name, Metric(family.name, family.documentation, family.type))
                known.samples += [sample._replace(labels={LABEL: name, **sample.labels}) for sample in family.samples]
        yield up
        yield from merged.values()
