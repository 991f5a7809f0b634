"""All open connections: which one is closed to make room, and which ones are too slow."""

import logging
from collections import Counter
from enum import StrEnum
from typing import Protocol

from app.connections.limits import ConnectionLimits
from app.connections.watch import Phase, Watch
from app.errors import ClientTooSlow, EngineStopped, TesseraError, TooManyConnections

LONGEST_TURN_S = 1.0
"""Time beyond this between two sweeps is not counted: the event loop was busy, and the clients may have sent."""
STALLED_S = 1.0
"""A client that has kept the server waiting for this long may be closed to make room."""
PRESSURE = 10.0
"""While all places for requests are taken, transfers must be this much faster."""
REPORT_INTERVAL_S = 10.0

_log = logging.getLogger("tessera.connections")


class Reason(StrEnum):
    """Why a connection was closed, or a request refused, because of a limit."""

    HEAD = "head"
    BODY = "body"
    ANSWER = "answer"
    ROOM = "room"
    REQUESTS = "requests"
    INVALID = "invalid"
    FILES = "files"


_EXPLANATION = {
    Reason.HEAD: "did not send a request within head_timeout_s",
    Reason.BODY: "sent a body too slowly",
    Reason.ANSWER: "read a response too slowly",
    Reason.ROOM: "closed to make room for newer ones",
    Reason.REQUESTS: "requests refused because too many were in progress",
    Reason.INVALID: "did not send HTTP",
    Reason.FILES: "not accepted at once because the process had no free file",
}
_OF_PHASE = {Phase.HEAD: Reason.HEAD, Phase.BODY: Reason.BODY, Phase.ANSWER: Reason.ANSWER}


class Connection(Protocol):
    """A connection, as the table sees it."""

    @property
    def phase(self) -> Phase:
        """What the connection is waiting for."""

    @property
    def request(self) -> int:
        """The number of the connection's latest request."""

    @property
    def moved(self) -> int:
        """The bytes that were received, and those that were sent and taken by the client."""

    def refuse(self, error: TesseraError) -> None:
        """Closes the connection, with a response if its client can read one."""


class ConnectionObserver(Protocol):
    """Receives counts of connections."""

    def connections_changed(self, open_connections: int) -> None:
        """The number of open connections has changed."""

    def connection_limited(self, reason: str) -> None:
        """A connection was closed, or a request refused, because of a limit."""


class ConnectionTable:
    """Knows all connections of a server, and keeps them within the limits.

    Every new connection is accepted, so that probes are always answered. If there are too many, the oldest one without
    a request in progress is closed. There are always some, because the number of requests in progress has a smaller
    limit. Lives on one event loop.
    """

    def __init__(self, limits: ConnectionLimits, observer: ConnectionObserver | None = None) -> None:
        self.limits = limits
        self._observer = observer
        self._watches: dict[Connection, Watch] = {}
        self._fresh: dict[Connection, None] = {}  # without any request yet, the oldest first
        self._idle: dict[Connection, None] = {}  # after a request, the oldest first
        self._stalled: list[Connection] = []
        self._requests = self._opened = 0
        self._counts: Counter[Reason] = Counter()
        self._swept = self._reported = float("-inf")

    def __len__(self) -> int:
        return len(self._watches)

    def opened(self, connection: Connection) -> int:
        """A connection was opened. Returns the number of those that were opened before."""
        self._watches[connection] = Watch(self.limits)
        self._fresh[connection] = None
        self._opened += 1
        return self._opened - 1

    def closed(self, connection: Connection) -> None:
        """A connection was closed."""
        self._watches.pop(connection, None)
        self._without_request(connection)

    def request_began(self, connection: Connection) -> None:
        """The connection has a request in progress."""
        self._without_request(connection)

    def request_ended(self, connection: Connection) -> None:
        """The connection has no request in progress any more."""
        if connection in self._watches:
            self._idle[connection] = None

    def enter(self, is_probe: bool) -> bool:
        """Whether a request may begin; then `leave` must be called at its end.

        If there are too many, the request of a stalled client is given up in its place.
        """
        most = self.limits.probes if is_probe else self.limits.requests
        if self._requests >= most and not self._give_up_stalled():
            self.count(Reason.REQUESTS)
            return False
        self._requests += 1
        return True

    def leave(self) -> None:
        """A request has ended."""
        self._requests -= 1

    def count(self, reason: Reason) -> None:
        """Counts a connection or request that met a limit, for the metrics and the log."""
        self._counts[reason] += 1
        if self._observer:
            self._observer.connection_limited(reason)

    def out_of_files(self, waiting: int) -> bool:
        """Like `make_room`, also with a new connection; one could not be accepted, because there is no free file."""
        self.count(Reason.FILES)
        return self.make_room(waiting) or self._close_oldest(self._fresh)

    def make_room(self, waiting: int) -> bool:
        """Closes the oldest connection without a request: one that never had a request, if there are many of these.

        The newest connections are not closed, because they may not have been read yet. Returns False if one of those
        that wait should be closed instead.

        waiting: the number of connections that were accepted and are not open yet, without those that sent a probe
        """
        new = self.limits.spare // 2
        if len(self._fresh) > new:
            return self._close_oldest(self._fresh)
        return waiting <= new and (self._close_oldest(self._idle) or self._give_up_stalled())

    def _close_oldest(self, connections: dict[Connection, None]) -> bool:
        """Closes the first of these connections to make room, and returns whether there was one."""
        oldest = next(iter(connections), None)
        if oldest is not None:
            self._close(oldest, Reason.ROOM, self._too_many())
        return oldest is not None

    def refused(self) -> TesseraError:
        """Counts a connection that was closed before it was open, and returns the error for its client."""
        self.count(Reason.ROOM)
        return self._too_many()

    def sweep(self, now: float) -> None:
        """Closes the connections that are too slow, and reports what was closed. Called about twice a second."""
        seconds = min(now - self._swept, LONGEST_TURN_S)
        self._swept = now
        rate = self.limits.least_bytes_per_s * (PRESSURE if self._requests >= self.limits.requests else 1.0)
        for connection, watch in list(self._watches.items()):
            expired = watch.look(connection.phase, connection.request, connection.moved, seconds, rate)
            if expired is not None:
                self._close(connection, _OF_PHASE[expired], self._too_slow(expired))
        stalled = [
            (watch.left_s, index, connection)
            for index, (connection, watch) in enumerate(self._watches.items())
            if watch.is_stalled(connection.moved, STALLED_S)
        ]
        self._stalled = [connection for _, _, connection in sorted(stalled, reverse=True)]
        if self._observer:
            self._observer.connections_changed(len(self))
        self._report(now)

    def close_stalled(self) -> None:
        """Closes all connections except those that wait for the server: at the end of the grace period."""
        for connection in list(self._watches):
            if connection.phase is not Phase.WORK:
                self.closed(connection)
                connection.refuse(EngineStopped("the server is shutting down; try again in a few seconds"))

    def _without_request(self, connection: Connection) -> None:
        self._fresh.pop(connection, None)
        self._idle.pop(connection, None)

    def _give_up_stalled(self) -> bool:
        """Closes the connection of the most stalled client, and returns whether there was one."""
        while self._stalled:
            connection = self._stalled.pop()
            watch = self._watches.get(connection)
            if watch is not None and watch.is_stalled(connection.moved, STALLED_S):
                self._close(connection, Reason.ROOM, self._too_slow(connection.phase))
                return True
        return False

    def _close(self, connection: Connection, reason: Reason, error: TesseraError) -> None:
        self.count(reason)
        self.closed(connection)
        connection.refuse(error)

    def _too_many(self) -> TesseraError:
        return TooManyConnections(
            f"the server has {self.limits.connections:,} connections (max_connections), and closes the oldest one that "
            "has no request in progress; connect again later"
        )

    def _too_slow(self, phase: Phase) -> TesseraError:
        limits = self.limits
        if phase is Phase.HEAD:
            return ClientTooSlow(
                f"no whole request came within {limits.head_timeout_s:g} s (head_timeout_s); send it at once"
            )
        return ClientTooSlow(
            f"the body came with less than {limits.least_bytes_per_s:,.0f} bytes per second (least_bytes_per_s) for up "
            f"to {limits.stall_timeout_s:g} s (stall_timeout_s); use a faster connection"
        )

    def _report(self, now: float) -> None:
        """Logs the counts since the last report, at most once in `REPORT_INTERVAL_S`."""
        if not self._counts or now - self._reported < REPORT_INTERVAL_S:
            return
        listed = "; ".join(f"{number:,} {_EXPLANATION[reason]}" for reason, number in sorted(self._counts.items()))
        _log.warning("connections, of which %d are open now: %s", len(self), listed)
        self._counts.clear()
        self._reported = now
