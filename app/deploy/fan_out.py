"""The engines of a Serve deployment, among which a server divides large pictures."""

import asyncio
import logging
from typing import Any

from ray.exceptions import RayError, RayTaskError
from ray.serve.exceptions import RayServeException
from ray.serve.handle import DeploymentHandle

from app.artifacts import Artifact
from app.deploy.transport import SentDistances, SentPixels
from app.errors import DeviceFailed, TesseraError
from app.pipeline import BlockPixels, MeasuredBlock
from app.scheduling.work import Finished
from app.service.engines import EngineState, ModelVersion

STATE_S = 5.0
"""How long engines may take to tell their state before the work goes on with what is known of them."""

_log = logging.getLogger(__name__)


class ServeEngines:
    """All replicas of a deployment of engines as one engine; `handle` is the deployment's.

    Serve's router gives each block to the replica that has fewer of them, of two that it draws.
    """

    def __init__(self, handle: DeploymentHandle[Any]) -> None:
        self._handle = handle
        self._answers: asyncio.Task[list[Any]] | None = None
        self.states: tuple[EngineState, ...] = ()
        """Those of the replicas that answered last."""

    def room(self, artifact: Artifact) -> int:
        """See Engine."""
        return sum(state.room for state in self.states if artifact.digest in state.digests)

    async def refresh(self) -> None:
        """See Engine."""
        answers = self._answers = self._answers or asyncio.create_task(self._asked())
        answered, _ = await asyncio.wait([answers], timeout=STATE_S)
        if not answered:  # one of them is silent; Serve ends it if it stays so, and nobody asks twice meanwhile
            return
        self._answers = None
        try:
            found = answers.result()
        except (RayError, RayServeException):  # the deployment has no replica
            found = []
        before, self.states = len(self.states), tuple(each for each in found if isinstance(each, EngineState))
        if len(self.states) != before:
            _log.info("%d engines divide large pictures; before, %d did", len(self.states), before)

    async def _asked(self) -> list[Any]:
        """The state of each replica, or the error that it gave instead."""
        found: list[Any] = await self._handle.broadcast("state").results_async(return_exceptions=True)
        return found

    async def measure(self, artifact: Artifact, pixels: BlockPixels, *, background: bool) -> Finished[MeasuredBlock]:
        """See Engine."""
        sent = await asyncio.to_thread(SentPixels.of, pixels)
        response = self._handle.measure.remote(ModelVersion.of(artifact), sent, background)
        try:
            found: SentDistances = await response
        except asyncio.CancelledError:
            response.cancel()  # type: ignore[no-untyped-call]  # Ray leaves it so
            raise
        except RayTaskError as error:
            raise (error.cause if isinstance(error.cause, TesseraError) else _lost(error)) from error
        except (RayError, RayServeException) as error:
            raise _lost(error) from error
        return found.received(pixels.block)


def _lost(error: Exception) -> DeviceFailed:
    why = type(error).__name__
    return DeviceFailed(f"the engine that had a part of the picture in work was lost ({why}); send the picture again")
