"""The number of replicas follows the tiles in their queues."""

from typing import Any

import pytest

pytest.importorskip("ray", reason="the extra `ray` is not installed")

from ray.serve.config import AutoscalingConfig, AutoscalingContext, AutoscalingPolicy

from app.deploy.autoscaling import QUEUE, ByTiles


def context(*tiles: float) -> AutoscalingContext:
    """What Serve tells a policy of replicas with so many tiles each."""
    ids: Any = {f"replica-{number}": value for number, value in enumerate(tiles)}
    unused: Any = dict.fromkeys(
        (
            *("deployment_id", "deployment_name", "app_name", "raw_metrics", "last_scale_up_time"),
            *("last_scale_down_time", "current_time", "config", "total_queued_requests"),
        )
    )
    return AutoscalingContext(
        **unused,
        current_num_replicas=len(tiles),
        target_num_replicas=len(tiles),
        running_replicas=list(ids),
        total_num_requests=1,  # one request with many tiles is much work
        aggregated_metrics={QUEUE: ids} if tiles else {},
        capacity_adjusted_min_replicas=1,
        capacity_adjusted_max_replicas=100,
        policy_state={},
    )


@pytest.mark.parametrize(
    ("tiles", "replicas"), [((), 1), ((0,), 1), ((64,), 1), ((65,), 2), ((1024,), 16), ((64, 64, 0, 0), 2)]
)
def test_as_many_replicas_as_the_tiles_need(tiles: tuple[float, ...], replicas: int) -> None:
    assert ByTiles(64)(context(*tiles)) == (replicas, {})


def test_serve_finds_the_policy_by_its_path() -> None:
    policy = AutoscalingPolicy(  # type: ignore[no-untyped-call]  # Ray has few types
        policy_function="app.deploy.autoscaling:ByTiles", policy_kwargs={"tiles_per_replica": 10.0}
    )
    found = AutoscalingConfig(min_replicas=1, max_replicas=3, policy=policy).policy
    assert found.get_policy()(**found.policy_kwargs)(context(25.0)) == (3, {})
