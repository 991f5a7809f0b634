"""Device engines on Ray Serve: replicas without HTTP that measure blocks of large pictures for servers."""

import asyncio

from ray import serve
from ray.serve import Application
from ray.serve.config import AutoscalingConfig

from app.application import device_parts
from app.deploy.arguments import EngineArguments
from app.deploy.process import process_options
from app.deploy.transport import SentDistances, SentPixels
from app.errors import DeviceFailed
from app.metrics import Metrics
from app.service import VersionState
from app.service.engines import EngineHost, EngineState, ModelVersion
from app.service.readiness import dead_reasons
from app.settings import Settings
from app.starting import set_up_process

NAME = "engines"
"""The name of the deployment."""
MOST_ONGOING = 64
"""Servers limit the blocks in flight by the room of the engines, which is less."""
ONGOING = 1.5
"""The blocks in flight for each engine that autoscaling aims at: fewer than the room of one with one lane."""
POLL_S = 0.05
END_S = 2.0
"""How long the current units of the lanes may take when a replica is stopped."""


class ServedEngine:
    """The models of a repository on the devices of one replica."""

    def __init__(self, settings: Settings) -> None:
        set_up_process(settings)
        self._parts = device_parts(settings, Metrics())
        self._host = EngineHost(self._parts.catalogue, self._parts.worker)
        self._is_loaded = False
        self._parts.worker.start()
        self._parts.reloader.start()

    async def state(self) -> EngineState:
        """See EngineHost."""
        return self._host.state

    async def measure(self, model: ModelVersion, sent: SentPixels, background: bool) -> SentDistances:
        """See EngineHost. Serve cancels it if the server gives up the block."""
        done = await self._host.measure(model, sent.received(), background=background)
        return await asyncio.to_thread(SentDistances.of, done)

    async def check_health(self) -> None:
        """Raises DeviceFailed if only a new process can help. The first call ends when all models are loaded.

        Serve sends blocks to a replica after its first call, and replaces a replica whose calls fail.
        """
        catalogue = self._parts.catalogue
        while not self._is_loaded:
            self._is_loaded = catalogue.started and not catalogue.count(VersionState.loading)
            await asyncio.sleep(0 if self._is_loaded else POLL_S)
        reasons = dead_reasons(self._parts.worker)
        if reasons:
            raise DeviceFailed("; ".join(reasons))

    def __del__(self) -> None:
        """Serve calls it when the replica is stopped, after the blocks that it waits for."""
        self._parts.reloader.stop()
        self._parts.worker.stop(finish_running=False, wait_s=END_S)


def engine_deployment(arguments: EngineArguments, settings: Settings) -> Application:
    """The engines, to be bound to the deployment of the server, which then gets their handle.

    settings: those of the server, of which engines use the ones of models and devices
    """
    scaling = None
    if arguments.most_replicas is not None:
        scaling = AutoscalingConfig(
            min_replicas=arguments.replicas, max_replicas=arguments.most_replicas, target_ongoing_requests=ONGOING
        )
    deployed = serve.deployment(
        name=NAME,
        num_replicas=arguments.replicas if scaling is None else None,
        autoscaling_config=scaling,
        ray_actor_options=process_options(arguments.processors, arguments.gpus),
        max_ongoing_requests=MOST_ONGOING,
        logging_config={"enable_access_log": False},
    )(ServedEngine)
    return deployed.bind(settings)
