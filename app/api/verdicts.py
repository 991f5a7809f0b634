"""Tells the verdicts of requests to other programs."""

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Future
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Protocol, TypeVar

from starlette.types import Scope

from app.api.request_id import request_id
from app.api.schemas.verdict import PictureBody, VerdictBody
from app.events import Event, new_id, now
from app.service import Pixels, Predicted, Rendering, Source

STORED_WITHIN_S = 0.02
"""How long an answer waits until its verdict is stored. It takes about 0.3 ms, unless the disk hangs."""
_PIECE = 2**20

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
class Telling:
    """Tells the verdict on one picture of a request; nothing if nobody gets verdicts."""

    verdicts: Verdicts
    scope: Scope
    name: str
    digest: "asyncio.Task[str | None] | None"

    async def __call__(self, predicted: Predicted) -> None:
        if self.digest is not None:
            await self.tell(await asyncio.to_thread(draft, self.scope, predicted))

    async def tell(self, verdict: VerdictBody | None) -> None:
        """Tells a verdict that `draft` made."""
        if self.digest is not None and verdict is not None:
            verdict.picture = PictureBody(name=self.name, sha256=await self.digest)
            await self.verdicts.tell(verdict)


@dataclass(frozen=True, slots=True)
class RequestVerdicts:
    """Tells the verdicts of one request."""

    verdicts: Verdicts
    scope: Scope

    @property
    def wanted(self) -> bool:
        """Whether anybody gets verdicts."""
        return self.verdicts.wanted

    @asynccontextmanager
    async def about(self, source: Source, name: str | None = None) -> AsyncIterator[Telling]:
        """Yields what tells the verdict on a picture. Its digest is computed meanwhile, in a thread."""
        if not self.wanted:
            yield Telling(self.verdicts, self.scope, "", None)
            return
        task = asyncio.create_task(asyncio.to_thread(_digest, _read(source)))
        try:
            yield Telling(self.verdicts, self.scope, name or "", task)
        finally:
            task.cancel()

    def drafted(self, rendering: Rendering[T]) -> Rendering[tuple[VerdictBody | None, T]]:
        """The rendering, which also drafts the verdict, in the same thread."""

        def render(predicted: Predicted) -> tuple[VerdictBody | None, T]:
            return draft(self.scope, predicted) if self.wanted else None, rendering.render(predicted)

        return Rendering(render, rendering.drawn_bytes, rendering.kept_bytes)


def draft(scope: Scope, predicted: Predicted) -> VerdictBody:
    """The verdict on a picture of a request, without its name and digest."""
    route = getattr(scope.get("route"), "path", "")
    return VerdictBody.of(predicted, id=new_id(), time=now(), request_id=request_id(scope), source=route)


def _read(source: Source) -> Callable[[], Iterator[bytes]]:
    """What reads the file of a picture piece by piece, also while other code reads it."""
    if isinstance(source, bytes | Pixels):
        return lambda: iter((source,) if isinstance(source, bytes) else ())
    if not getattr(source.file, "_rolled", True):  # a SpooledTemporaryFile in memory
        data: bytes = source.file._file.getvalue()  # type: ignore[attr-defined]  # shares the bytes
        return lambda: iter((data,))
    source.file.seek(0)  # writes what is buffered
    return partial(_pieces, source.file.fileno())


def _pieces(descriptor: int) -> Iterator[bytes]:
    offset = 0
    while piece := os.pread(descriptor, _PIECE, offset):
        offset += len(piece)
        yield piece


def _digest(read: Callable[[], Iterator[bytes]]) -> str | None:
    """The SHA-256 of what is read; None if there is nothing, or if it cannot be read."""
    digest, empty = hashlib.sha256(), True
    try:
        for piece in read():
            digest.update(piece)
            empty = False
    except OSError:  # the request has ended, and its file is closed
        return None
    return None if empty else digest.hexdigest()
