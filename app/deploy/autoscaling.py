"""The number of replicas that the tiles in their queues need. Runs in Serve's controller."""

from math import ceil
from typing import Any

from ray.serve.config import AutoscalingContext

QUEUE = "queue_tiles"
"""The name of the statistic that replicas report: the tiles that wait or run."""


class ByTiles:
    """Chooses as many replicas as have `tiles_per_replica` tiles in their queues on average.

    Serve's own policy counts requests, and a request is a picture of one tile or of a thousand. Serve keeps the result
    within the limits, and delays it.
    """

    def __init__(self, tiles_per_replica: float) -> None:
        self._tiles_per_replica = tiles_per_replica

    def __call__(self, context: AutoscalingContext) -> tuple[int, dict[str, Any]]:
        """The number of replicas, and the state of the policy, which has none."""
        metrics = context.aggregated_metrics or {}
        tiles = sum(metrics.get(QUEUE, {}).values())
        return max(1, ceil(tiles / self._tiles_per_replica)), {}
