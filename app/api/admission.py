"""Refuses requests while too many are in progress."""

from typing import Protocol

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from app.api.pace import Pace
from app.api.problems import refusal
from app.api.root_path import own_path
from app.errors import TooManyConnections

REQUESTS_PER_TURN = 2
PROBES = frozenset({"/livez", "/readyz", "/metrics"})


class Gate(Protocol):
    """Counts the requests in progress."""

    def enter(self, is_probe: bool) -> bool:
        """Whether a request may begin; then `leave` must be called at its end."""

    def leave(self) -> None:
        """A request has ended."""


class Admission:
    """Answers 503 to a request that the gate refuses. Probes have places of their own, and pass a burst of others.

    A refused request is neither logged nor counted as one of a route. Its connection stays open if the client still
    sends the body: the server drops the rest of the body, so that the client can read the response.
    """

    def __init__(self, app: ASGIApp, gate: Gate) -> None:
        self._app, self._gate, self._pace = app, gate, Pace(REQUESTS_PER_TURN)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        probe = is_probe(scope)
        if not self._gate.enter(probe):
            response = refusal(scope, TooManyConnections("too many requests are in progress; try again later"))
            if not _has_body(scope):
                response.headers["Connection"] = "close"
            await response(scope, receive, send)
            return
        try:
            if not probe:
                await self._pace.turn()
            await self._app(scope, receive, send)
        finally:
            self._gate.leave()


def is_probe(scope: Scope) -> bool:
    """Whether a request that passed `RootPath` is for a probe, and has no body."""
    return own_path(scope) in PROBES and not _has_body(scope)


def _has_body(scope: Scope) -> bool:
    headers = Headers(scope=scope)
    return headers.get("content-length", "0") != "0" or "transfer-encoding" in headers
