"""Builds the Serve application: `app.deploy.builder:application` in Serve configurations."""

from typing import Any

from pydantic import ValidationError
from ray import serve
from ray.serve import Application
from ray.serve.config import AutoscalingConfig, AutoscalingPolicy, RequestRouterConfig

from app.deploy.arguments import Arguments
from app.deploy.engines import engine_deployment
from app.deploy.process import process_options
from app.deploy.replica import STALE_S, Replica
from app.errors import CannotServe
from app.settings import Settings, said_of_settings

NAME = "tessera"
"""The name of the application and of its deployment."""
ROUTING_S = 1.0
"""The interval at which the proxies learn which models a replica has in memory, in seconds."""
ENDS_S = 5.0
"""How long a replica may take to end its threads and processes after the grace period."""


def application(arguments: Arguments) -> Application:
    """The application as Serve runs it. Raises CannotServe.

    The settings that `arguments` does not give come from the environment of the process that calls this, so that all
    replicas have the same ones.
    """
    try:
        settings = Settings.model_validate(arguments.settings)
    except ValidationError as error:
        raise CannotServe("; ".join(said_of_settings(error))) from error
    _require_shared_stores(settings, arguments.most)
    scale: dict[str, Any] = {"num_replicas": arguments.replicas}
    if arguments.most_replicas is not None:
        scale = {"autoscaling_config": _autoscaling(arguments, arguments.most_replicas)}
    deployed = serve.deployment(
        name=NAME,
        ray_actor_options=process_options(arguments.processors, arguments.gpus),
        max_ongoing_requests=settings.max_connections,  # the application itself refuses what is too much
        request_router_config=RequestRouterConfig(
            request_router_class="app.deploy.routing:ByModel",  # type: ignore[arg-type]
            request_routing_stats_period_s=ROUTING_S,  # type: ignore[arg-type]
        ),
        graceful_shutdown_wait_loop_s=STALE_S,
        graceful_shutdown_timeout_s=STALE_S + settings.shutdown_grace_s + ENDS_S,
        max_surge_percent=arguments.surge_percent,
        logging_config={"enable_access_log": False},  # the application logs its requests
        **scale,
    )(Replica)
    if arguments.engines is None:
        return deployed.bind(settings, arguments.reload_timeout_s)
    engines = engine_deployment(arguments.engines, settings)
    return deployed.bind(settings, arguments.reload_timeout_s, arguments.engines, engines)


def _autoscaling(arguments: Arguments, most_replicas: int) -> AutoscalingConfig:
    policy = AutoscalingPolicy(  # type: ignore[no-untyped-call]
        policy_function="app.deploy.autoscaling:ByTiles",
        policy_kwargs={"tiles_per_replica": arguments.tiles_per_replica},
    )
    return AutoscalingConfig(
        min_replicas=arguments.replicas,
        max_replicas=most_replicas,
        upscale_delay_s=arguments.more_after_s,
        downscale_delay_s=arguments.fewer_after_s,
        policy=policy,
    )


def _require_shared_stores(settings: Settings, most: int) -> None:
    """Raises CannotServe if several replicas would have to share jobs, trainings or pictures of one of them."""
    if settings.jobs_dir is not None and not settings.jobs_database and most > 1:
        raise CannotServe(
            f"jobs_dir is {settings.jobs_dir}, which keeps jobs on one machine, and the application may have {most} "
            "replicas, which would not know the jobs of each other; name a database for all by jobs_database, set "
            "`replicas` to 1, or leave out jobs_dir"
        )
    if settings.trainings_dir is not None and most > 1:
        raise CannotServe(
            f"trainings_dir is {settings.trainings_dir}, and the application may have {most} replicas, which would not "
            "know the trainings of each other; set `replicas` to 1, or leave out trainings_dir"
        )
    if settings.pictures_dir is not None and not settings.jobs_database and most > 1:
        raise CannotServe(
            f"pictures_dir is {settings.pictures_dir}, which keeps pictures on one machine, and the application may "
            f"have {most} replicas; name a database for all by jobs_database, set `replicas` to 1, or leave out "
            "pictures_dir"
        )
