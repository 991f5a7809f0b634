"""The metrics of all replicas are one valid text."""

import pytest

pytest.importorskip("ray", reason="the extra `ray` is not installed")

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from app.deploy.exposition import merge


def metrics(pictures: int) -> str:
    """The metrics of a replica that has answered so many pictures."""
    registry = CollectorRegistry()
    Counter("pictures", "Answered pictures.", ["model"], registry=registry).labels("a").inc(pictures)
    Gauge("queue", 'The "queue", in tiles.', registry=registry).set(pictures / 4)
    Histogram("seconds", "Times.", ["stage"], buckets=(1, 2), registry=registry).labels("decode").observe(pictures)
    return generate_latest(registry).decode()


def test_each_sample_has_its_replica_and_its_value() -> None:
    text = merge({"x": metrics(1), "y": metrics(2), "z": None}).decode()
    found = {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    for replica, pictures in (("x", 1), ("y", 2)):
        own = ("replica", replica)
        assert found["tessera_replica_up", own] == 1
        assert found["pictures_total", ("model", "a"), own] == pictures
        assert found["queue", own] == pictures / 4
        assert found["seconds_sum", own, ("stage", "decode")] == pictures
        assert found["seconds_bucket", ("le", "1.0"), own, ("stage", "decode")] == (pictures <= 1)
    assert found["tessera_replica_up", ("replica", "z")] == 0
    assert not any(("replica", "z") in key for key in found if key[0] != "tessera_replica_up")


def test_each_metric_is_described_once() -> None:
    lines = merge({"x": metrics(1), "y": metrics(2)}).decode().splitlines()
    described = [line.split(" ", 3)[2] for line in lines if line.startswith("# TYPE")]
    assert len(described) == len(set(described))
    assert {"pictures_total", "queue", "seconds", "tessera_replica_up"} <= set(described)
    assert lines.count('# HELP queue The "queue", in tiles.') == 1
