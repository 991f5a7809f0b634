"""Tells the verdicts of requests to other programs."""

import asyncio
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Protocol, TypeVar

from starlette.types import Scope

from app.api.request_id import request_id
from app.api.schemas.verdict import VerdictBody
from app.events import Event, new_id, now
from app.service import Predicted, Rendering

STORED_WITHIN_S = 0.02
"""How long an answer waits until its verdict is stored. It takes about 0.3 ms, unless the disk hangs."""

T = TypeVar("T")


class Outlet(Protocol):
    """Takes events, and has them delivered."""

    @property
    def wanted(self) -> bool:
        """Whether anybody gets events."""

    def tell(self, event: Event) -> Future[None]:
        """Hands over an event; the result is there when it is stored."""


class Verdicts:
    """Hands verdicts to the outlet. A verdict is stored before its answer is sent, so that a kill loses none.

    If the disk hangs, one answer waits for STORED_WITHIN_S; the following ones do not wait until the disk works again.
    """

    def __init__(self, outlet: Outlet) -> None:
        self._outlet = outlet
        self._late: Future[None] | None = None

    @property
    def wanted(self) -> bool:
        """Whether anybody gets verdicts."""
        return self._outlet.wanted

    async def tell(self, verdict: VerdictBody) -> None:
        body = await asyncio.to_thread(lambda: verdict.model_dump_json().encode())
        stored = self._outlet.tell(Event(verdict.id, verdict.type, verdict.time, body))
        if self._late is not None and not self._late.done():
            return
        done, _ = await asyncio.wait({asyncio.wrap_future(stored)}, timeout=STORED_WITHIN_S)
        self._late = None if done else stored


@dataclass(frozen=True, slots=True)
class RequestVerdicts:
    """Tells the verdicts of one request; nothing if nobody gets verdicts."""

    verdicts: Verdicts
    scope: Scope

    async def tell(self, predicted: Predicted, name: str | None) -> None:
        """Tells the verdict on a picture. `name` is that of its file."""
        await self.tell_drafted(await asyncio.to_thread(self._draft, predicted, name or ""))

    async def tell_drafted(self, verdict: VerdictBody | None) -> None:
        """Tells a verdict that `drafted` made."""
        if verdict is not None:
            await self.verdicts.tell(verdict)

    def drafted(self, rendering: Rendering[T]) -> Rendering[tuple[VerdictBody | None, T]]:
        """The rendering, which also drafts the verdict, in the same thread."""

        def render(predicted: Predicted) -> tuple[VerdictBody | None, T]:
            return self._draft(predicted, ""), rendering.render(predicted)

        return Rendering(render, rendering.drawn_bytes, rendering.kept_bytes)

    def _draft(self, predicted: Predicted, name: str) -> VerdictBody | None:
        if not self.verdicts.wanted:
            return None
        route = getattr(self.scope.get("route"), "path", "")
        return VerdictBody.of(predicted, name, id=new_id(), time=now(), request_id=request_id(self.scope), source=route)
