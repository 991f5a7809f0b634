"""The time that one connection may still take."""

from enum import Enum, auto

from app.connections.limits import ConnectionLimits


class Phase(Enum):
    """What a connection is waiting for."""

    HEAD = auto()
    """The rest of a request's head, or of a body that was not read."""
    IDLE = auto()
    """The next request."""
    BODY = auto()
    """The client: more of a request's body."""
    ANSWER = auto()
    """The client: it has not read all that was written."""
    WORK = auto()
    """The server."""


class Watch:
    """Measures how long a connection has been in its phase, and how long its client has been too slow.

    A request starts with `stall_timeout_s` seconds. Each second of waiting for the client takes one second away. Each
    byte gives 1 / `least_bytes_per_s` seconds back, up to the initial number. So a client may pause, and a client that
    sends or reads fast enough is never too slow. Time in which the server does not read is not counted.
    """

    def __init__(self, limits: ConnectionLimits) -> None:
        self._limits = limits
        self._phase, self._request, self._moved, self._waited_s = Phase.HEAD, 0, 0, 0.0
        self.left_s = limits.stall_timeout_s

    def look(self, phase: Phase, request: int, moved: int, seconds: float, least_bytes_per_s: float) -> Phase | None:
        """Records the state of the connection, and returns the phase in which it has exceeded its time, or None.

        request: the number of the request; another number than before is another request
        moved: the bytes that were received, and those that were sent and taken by the client
        seconds: the time since the last call
        """
        if request != self._request:
            self.left_s = self._limits.stall_timeout_s
        if (phase, request) != (self._phase, self._request):
            self._waited_s = 0.0
        gained_s = (moved - self._moved) / least_bytes_per_s
        self._phase, self._request, self._moved = phase, request, moved
        self._waited_s += seconds
        waits = phase in (Phase.BODY, Phase.ANSWER)
        self.left_s = min(self.left_s + gained_s, self._limits.stall_timeout_s) - (seconds if waits else 0.0)
        if waits:
            return phase if self.left_s < 0 else None
        return phase if phase is Phase.HEAD and self._waited_s > self._limits.head_timeout_s else None

    def is_stalled(self, moved: int, seconds: float) -> bool:
        """Whether the client has kept the server waiting for `seconds`, and has moved nothing since the last `look`."""
        waits = self._phase in (Phase.BODY, Phase.ANSWER)
        return waits and moved == self._moved and self.left_s <= self._limits.stall_timeout_s - seconds
