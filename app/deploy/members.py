"""The replicas of the application, as Serve's controller reports them, and calls to all of them.

No other module uses parts of Ray Serve that are not public. Serve has no public way to learn that a replica is being
stopped before its requests have ended, nor which of the replicas has not answered a broadcast.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import ray
from ray import serve
from ray.serve._private.common import DeploymentTargetInfo, ReplicaState
from ray.serve._private.constants import SERVE_CONTROLLER_NAME, SERVE_NAMESPACE
from ray.serve._private.long_poll import LongPollClient, LongPollNamespace
from ray.serve._private.replica_result import ReplicaResult
from ray.serve.exceptions import DeploymentUnavailableError, RayServeException
from ray.serve.handle import DeploymentHandle
from ray.serve.schema import ServeInstanceDetails

CHECK_S = 1.0
"""The interval at which a replica that gets no requests asks why."""

_log = logging.getLogger("tessera.cluster")


class Members:
    """The running replicas of this replica's deployment. Made on the event loop of a replica, and lives there.

    own: the name of this replica
    names: the names of the replicas to which requests are sent now
    """

    def __init__(self, leaving: Callable[[], Awaitable[None]]) -> None:
        """leaving: awaited once, when the controller has begun to stop this replica"""
        context = serve.get_replica_context()
        self.own: str = context.replica_tag
        self.names: frozenset[str] = frozenset()
        self._deployment, self._app = context.deployment, context.app_name
        self._handle: DeploymentHandle[object] = DeploymentHandle(self._deployment, self._app)
        self._leaving = leaving
        self._left: asyncio.Task[None] | None = None
        self._controller: Any = ray.get_actor(SERVE_CONTROLLER_NAME, namespace=SERVE_NAMESPACE)
        key = (LongPollNamespace.DEPLOYMENT_TARGETS, context.replica_id.deployment_id)
        self._poll = LongPollClient(
            self._controller,
            {key: self._changed},  # type: ignore[dict-item]  # Serve's own callers pass such keys
            call_in_event_loop=asyncio.get_running_loop(),
            client_id=f"tessera:{self.own}",
        )

    async def call(self, method: str, *arguments: object, timeout_s: float) -> list[Any]:
        """What this method of each running replica returns; those that fail or take longer are left out."""
        response = self._handle.broadcast(method, *arguments)
        try:
            pending = await response._fetch_replica_results_async()
        except (DeploymentUnavailableError, RayServeException) as error:
            _log.warning("no replica could be called: %s", error)
            return []
        tasks = [asyncio.create_task(_result(each)) for each in pending]
        done, late = await asyncio.wait(tasks, timeout=timeout_s)
        for task in late:
            task.cancel()
        answers = []
        for task in done:
            failure = task.exception()
            if failure is None:
                answers.append(task.result())
            else:
                _log.warning("a replica did not answer %s: %s", method, failure)
        return answers

    def _changed(self, targets: DeploymentTargetInfo) -> None:
        """Serve calls this when the set of the replicas changes, which takes requests from those that it stops."""
        was_there = self._is_member()
        self.names = frozenset(each.replica_id.unique_id for each in targets.running_replicas)
        if was_there and not self._is_member() and self._left is None:
            self._left = asyncio.get_running_loop().create_task(self._leave())

    async def _leave(self) -> None:
        """A replica that gets new options is not in the set for a moment; only one that is stopped leaves."""
        while not self._is_member():
            if await self._is_stopping():
                return await self._leaving()
            await asyncio.sleep(CHECK_S)
        self._left = None

    def _is_member(self) -> bool:
        return self.own in self.names

    async def _is_stopping(self) -> bool:
        details = ServeInstanceDetails(**await self._controller.get_serve_instance_details.remote())
        application = details.applications.get(self._app)
        deployment = None if application is None else application.deployments.get(self._deployment)
        if deployment is None:
            return True  # the application is being deleted
        return any(each.replica_id == self.own and each.state is ReplicaState.STOPPING for each in deployment.replicas)


async def _result(pending: ReplicaResult) -> Any:
    return await pending.get_async()  # type: ignore[no-untyped-call]  # Ray has few types
