"""Candidates that run beside served versions."""

from app.metric_table.info import MetricInfo

SHADOW_PICTURES = MetricInfo(
    "tessera_shadow_pictures",
    "counter",
    "pictures",
    "Pictures of the share that a shadow judges, by result: compared, or dropped because there was no room; version is "
    "the candidate",
    "dropped rising as fast as compared: the server has no spare time or memory; the comparison takes longer.",
    ("model", "version", "result"),
)
SHADOW_DIFFERENCES = MetricInfo(
    "tessera_shadow_differences",
    "counter",
    "pictures",
    "Compared pictures that only the candidate (candidate) or only the served version (served) calls anomalous",
    "candidate rising: the candidate has alarms that the served version has not; GET /v1/models/{model}/shadow lists "
    "the latest.",
    ("model", "version", "only"),
)
