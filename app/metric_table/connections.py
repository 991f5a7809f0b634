"""Requests and connections, as clients meet them."""

from app.metric_table.info import SECONDS, MetricInfo

REQUESTS = MetricInfo(
    "tessera_requests",
    "counter",
    "requests",
    "Requests by method, route and status",
    "The rate is the load. More 429 than before: the queue is full, add devices or servers. 5xx: see the log.",
    ("method", "route", "status"),
)
REQUEST_SECONDS = MetricInfo(
    "tessera_request_seconds",
    "histogram",
    "seconds",
    "Duration of requests, from the first byte received to the last byte sent",
    "It rises with the queue, with larger pictures and with slow clients.",
    ("route",),
    SECONDS,
)
CONNECTIONS = MetricInfo(
    "tessera_connections",
    "gauge",
    "connections",
    "Open connections",
    "Near max_connections: clients keep connections open, or the server is attacked.",
)
LIMITED_CONNECTIONS = MetricInfo(
    "tessera_connections_limited",
    "counter",
    "connections",
    "Connections that were closed, and requests that were refused, because of a limit, by reason: head, body, answer "
    "(the client was too slow), room (closed for newer ones), requests (too many in progress), invalid (not HTTP), "
    "files (no free file)",
    "A rise: slow or faulty clients, an attack, or too small a max_connections. The log has a summary every 10 s.",
    ("reason",),
)
