"""One process of the application on a cluster."""

import asyncio
from contextlib import ExitStack
from typing import Any

from fastapi import FastAPI
from ray import serve
from ray.serve.handle import DeploymentHandle

from app.api import Services, reload_here
from app.api.schemas.reload import ReplicaReloadBody
from app.deploy.arguments import EngineArguments
from app.deploy.autoscaling import QUEUE
from app.deploy.everywhere import Everywhere
from app.deploy.fan_out import ServeEngines
from app.deploy.members import Members
from app.deploy.own_folders import with_own_folders
from app.deploy.proxy import LeaveToProxy
from app.deploy.routing import LOADED, QUEUED
from app.draining import Draining
from app.environment import set_pillow_switches
from app.errors import CannotServe, DeviceFailed, TesseraError
from app.service import DEFAULT, VersionState
from app.service.fan_out import Engines
from app.service.readiness import dead_reasons, unready_reasons
from app.settings import Settings
from app.starting import finish_start, start

STALE_S = 2.0
"""How long proxies may still send requests to a replica that is being stopped."""
POLL_S = 0.05


@serve.ingress()
class Replica:
    """Serves the application, which it builds as a server of its own does. Serve calls its methods."""

    def __init__(
        self,
        settings: Settings,
        reload_timeout_s: float,
        engines: EngineArguments | None = None,
        handle: DeploymentHandle[Any] | None = None,
    ) -> None:
        self._settings, self._reload_timeout_s = settings, reload_timeout_s
        self._engines = Engines()
        if engines is not None and handle is not None:
            self._engines = Engines([ServeEngines(handle)], engines.own, engines.least_tiles)
        self._folders = ExitStack()  # held until the process ends
        self._is_loaded = False

    async def __serve_build_asgi_app__(self) -> FastAPI:
        """The application. Raises CannotServe."""
        set_pillow_switches()
        settings = with_own_folders(self._settings, self._folders)
        self._members = Members(self._leave)
        app = start(settings, Everywhere(self._members, self._reload_timeout_s), self._engines)
        app.add_middleware(LeaveToProxy)
        finish_start(settings, app)
        self._services: Services = app.state.services
        self._draining = Draining(app)
        return app

    async def check_health(self) -> None:
        """Raises DeviceFailed if only a new process can help. The first call ends when all models are loaded.

        Serve sends requests to a replica after its first call, and replaces a replica whose calls fail.
        """
        if not self._is_loaded:
            await self._load()
            self._is_loaded = True
        reasons = dead_reasons(self._services.worker)
        if reasons:
            raise DeviceFailed("; ".join(reasons))

    async def record_autoscaling_stats(self) -> dict[str, float]:
        """What the number of replicas follows."""
        return {QUEUE: float(self._services.worker.tiles)}

    async def record_routing_stats(self) -> dict[str, object]:
        """What the choice of a replica for a request follows, see `app.deploy.routing`."""
        found: dict[str, object] = {QUEUED: self._services.worker.tiles}
        if self._settings.max_loaded_versions is not None:
            catalogue = self._services.catalogue
            loaded = [model.name for model in catalogue.models() if model.has_live_in_memory]
            found[LOADED] = [*loaded, DEFAULT] if catalogue.default_name in loaded else loaded
        return found

    async def reload_here(self, model: str | None) -> dict[str, object]:
        """The ReplicaReloadBody of a scan of this replica."""
        body = ReplicaReloadBody(replica=self._members.own, answered=True)
        try:
            body.models = await reload_here(self._services.reloader, model)
        except TesseraError as error:
            body.answered, body.problem = False, str(error)
        return body.model_dump()

    async def metrics_here(self) -> tuple[str, str]:
        """The name and the metrics of this replica."""
        text = await asyncio.to_thread(self._services.metrics)  # those of jobs wait for their database
        return self._members.own, text.decode()

    async def _load(self) -> None:
        """Waits until no version is being loaded. Raises CannotServe if no picture could be predicted then."""
        catalogue, worker = self._services.catalogue, self._services.worker
        while not catalogue.started or catalogue.count(VersionState.loading):  # noqa: ASYNC110  # loads end in threads
            await asyncio.sleep(POLL_S)
        reasons = unready_reasons(catalogue, worker)
        if reasons:
            raise CannotServe("; ".join(reasons))

    async def _leave(self) -> None:
        """Ends the work of this replica within the grace period, as a server does that is stopped."""
        await asyncio.sleep(STALE_S)
        self._draining.begin()
        await asyncio.sleep(self._settings.shutdown_grace_s)
        self._draining.give_up()
