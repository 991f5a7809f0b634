"""The HTTP server: uvicorn within limits of connections, with an end that is on time."""

import asyncio
import logging
import socket
from errno import EACCES, EADDRINUSE, EPERM
from time import monotonic
from types import FrameType

import uvicorn
from fastapi import FastAPI

from app.api import Services
from app.api.in_flight import RequestsInFlight
from app.connections import ConnectionTable, LimitedProtocol, Lobby, SharingSelector, Slices
from app.draining import Draining
from app.ending import Ending, ExitStatus
from app.settings import Settings

STALLED_S = 0.75
"""Requests whose client has stopped sending or reading are cancelled this long after the grace period."""
ENDS_S = 1.5
"""The process ends this long after the grace period, whatever still runs."""

BACKLOG = 2048
"""The number of connections that the system keeps until they are accepted."""
TICKS_PER_SWEEP = 5
UNSENT_BYTES = 2**17
"""The most bytes of a response that the system keeps for a client that does not read. It would keep megabytes."""


_log = logging.getLogger("tessera")


class Server(uvicorn.Server):
    """Keeps connections within their limits. Finishes requests in flight when it is stopped.

    Requests that take longer than the grace period get 503. Ends itself when the health of the devices requires it.
    `ending` ends the process even if something hangs; None: the server shares its process with other work.
    """

    def __init__(self, app: FastAPI, settings: Settings) -> None:
        services: Services = app.state.services
        self._worker, self._grace_s = services.worker, settings.shutdown_grace_s
        self._draining = Draining(app)
        self._connections: ConnectionTable = app.state.connections
        self._in_flight: RequestsInFlight = app.state.in_flight
        self._unread = 0  # connections with a part of an answer that was not sent within the grace period
        self._fault = False
        self.ending: Ending | None = None
        config = uvicorn.Config(
            app,
            ws="none",
            timeout_keep_alive=settings.idle_timeout_s,
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=bool(settings.forwarded_allow_ips),  # uvicorn itself would trust the loopback addresses
            forwarded_allow_ips=settings.forwarded_allow_ips,
            timeout_graceful_shutdown=self._grace_s + STALLED_S,  # type: ignore[arg-type]  # asyncio takes fractions
        )
        super().__init__(config)
        self._slices, self._lobby = Slices(), Lobby(self._connections, self._protocol)

    def run(self, sockets: list[socket.socket] | None = None) -> None:
        """Serves until it is stopped, on an event loop that leaves the interpreter to the lanes while they compute."""
        with asyncio.Runner(loop_factory=self._loop) as runner:
            runner.run(self.serve(sockets))

    def _loop(self) -> asyncio.AbstractEventLoop:
        return asyncio.SelectorEventLoop(SharingSelector(self._worker.needs_interpreter))

    @property
    def status(self) -> ExitStatus:
        """The exit status if the process ended now."""
        if self._fault:
            return ExitStatus.fault
        return ExitStatus.unanswered if self._in_flight.unanswered or self._unread else ExitStatus.answered

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stops the server; a second signal ends the process at once. uvicorn must not record and repeat the signal."""
        if self.should_exit and self.ending is not None:
            self.ending.now()
        self._stop()

    def _stop(self) -> None:
        self.should_exit = True
        if self.ending is not None:
            self.ending.within(self._grace_s + ENDS_S)

    async def on_tick(self, counter: int) -> bool:
        """uvicorn calls this ten times a second."""
        if counter % TICKS_PER_SWEEP == 0:
            self._connections.sweep(monotonic())
        if self._worker.health.must_end and not self.should_exit:
            self._fault = True
            _log.critical("the server ends itself, to be restarted: %s", "; ".join(self._worker.health.fatal))
            self._stop()
        return await super().on_tick(counter)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Starts to serve. The lobby accepts connections instead of asyncio's servers, which cannot prefer probes."""
        await super().startup(sockets=[])
        for listener in sockets or ():
            self._lobby.listen(listener)

    def _protocol(self) -> asyncio.Protocol:
        """A protocol as uvicorn makes it for a new connection."""
        return LimitedProtocol(self._connections, self._slices, self.config, self.server_state, self.lifespan.state)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Refuses new pictures, waits for the requests in flight, and shuts down."""
        self._draining.begin()
        self._lobby.close()
        timer = asyncio.get_running_loop().call_later(self._grace_s, self._abort)
        await super().shutdown(sockets)
        timer.cancel()

    def _abort(self) -> None:
        """Ends the grace period."""
        self._unread = sum(_unsent_bytes(each) > 0 for each in self.server_state.connections)
        self._draining.give_up()
        self._connections.close_stalled()


def _unsent_bytes(connection: asyncio.Protocol) -> int:
    transport: asyncio.WriteTransport = connection.transport  # type: ignore[attr-defined]  # of uvicorn's protocols
    return transport.get_write_buffer_size()


def _said(error: OSError) -> str:
    """The reason and the remedy; the text of `create_server` repeats the address."""
    reason = (error.strerror or str(error)).partition(" (while")[0]
    if error.errno == EADDRINUSE:
        return f"{reason}; set another --port, or end the program that uses it"
    if error.errno in (EACCES, EPERM):
        return f"{reason}; set another --port, such as one over 1023"
    return f"{reason}; set another --host or --port"


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; raises SystemExit with the reason if the address cannot be used."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        raise SystemExit(f"tessera: cannot listen on {host} port {port}: {_said(error)}") from error
    # Accepted connections inherit TCP_NODELAY. asyncio does not set it for sockets that do not name a protocol, as this
    # one. Without TCP_NODELAY the body of a response waits until the client has acknowledged the headers, which
    # clients delay by 40 ms.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT_BYTES)
    return listener
