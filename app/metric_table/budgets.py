"""Queue, budgets and refusals."""

from app.metric_table.info import MetricInfo

QUEUE_TILES = MetricInfo(
    "tessera_queue_tiles",
    "gauge",
    "tiles",
    "Tiles that wait or run",
    "A queue that never empties needs more devices or servers; scale by it.",
)
QUEUE_SECONDS = MetricInfo(
    "tessera_queue_seconds",
    "gauge",
    "seconds",
    "Expected time until the tiles that wait or run are computed, by the recent rate; 0 before the first measurement",
    "The wait of the next picture. Longer than clients wait: add devices or servers, or lower queue_tiles.",
)
BUDGET_USED = MetricInfo(
    "tessera_budget_used",
    "gauge",
    "bytes or tiles",
    "The used part of each budget, by the setting that limits it; a large picture counts in queue_tiles by its share",
    "Near tessera_budget_limit of the same setting, requests get 429, or wait (max_work_bytes).",
    ("limit",),
)
BUDGET_LIMIT = MetricInfo(
    "tessera_budget_limit",
    "gauge",
    "bytes or tiles",
    "The limit of each budget, by its setting",
    "It does not change while the server runs.",
    ("limit",),
)
REFUSALS = MetricInfo(
    "tessera_refusals",
    "counter",
    "requests, or pictures of a batch",
    "Refusals with 413 or 429, by the setting that holds the limit",
    "queue_tiles: add devices or servers. max_waiting_bytes: slow clients, or memory that is short. Others: pictures "
    "that are larger than the limits.",
    ("limit",),
)
RETURNS = MetricInfo(
    "tessera_retry_returns",
    "counter",
    "requests",
    "Refused requests that came back when Retry-After had told them to, by result: admitted or refused",
    "More refused than a fifth of all: the server got slower than it was when it promised.",
    ("limit", "result"),
)
