"""The server: builds its parts from the settings, and runs them."""

import asyncio
import logging
import resource
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from threading import Thread
from time import monotonic
from types import FrameType
from typing import Any

import psutil
import torch
import uvicorn
from fastapi import FastAPI

from app.admission import Budgets, limits_for
from app.api import RequestRecord, Services, create_app
from app.api.in_flight import RequestsInFlight
from app.artifacts import ModelRepository
from app.cgroup import available_processors
from app.connections import ConnectionLimits, ConnectionTable, LimitedProtocol, limit_for
from app.ending import Ending, ExitStatus, leave
from app.errors import InvalidDevice
from app.heap import share_one_heap
from app.metrics import Metrics
from app.pipeline import resolve_devices
from app.runtime import RunOptions, precisions
from app.scheduling import DeviceWorker, Job
from app.service import ModelCatalogue, Predictor, Reloader
from app.settings import Settings, unknown_variables
from app.shown import LONGEST
from app.web import mount_page

STALLED_S = 1.0
"""Requests whose client has stopped sending or reading are cancelled this long after the grace period."""
ENDS_S = 1.75
"""The process ends this long after the grace period, whatever still runs."""
ABORT_S = 0.5
"""How long lanes may finish their current unit after the grace period."""

BACKLOG = 2048
"""The number of connections that the system keeps until they are accepted."""
TICKS_PER_SWEEP = 5
UNSENT_BYTES = 2**17
"""The most bytes of a response that the system keeps for a client that does not read. It would keep megabytes."""

MOST_CPU_LANES = 4
"""The default limit of lanes on a CPU: more of them cost more memory and cache than they gain."""

FEWEST_DECODE_PROCESSES = 2

_QUIET = frozenset({"/livez", "/readyz", "/metrics"})
_log = logging.getLogger("tessera")
_request_log = logging.getLogger("tessera.request")


def build_app(settings: Settings) -> FastAPI:
    """The application. Its lifespan starts and stops the threads of the devices; models are loaded while it serves."""
    devices = resolve_devices(settings.device)
    processors = torch.get_num_threads()
    cpu_lanes = settings.cpu_lanes or min(processors, MOST_CPU_LANES)
    options = RunOptions(
        settings.precision,
        settings.search,
        settings.batch_tiles,
        keep_weights=False,
        lanes=cpu_lanes,
        time_stages=settings.stage_times,
    )
    for device in devices:
        precisions(options.precision, device)
    metrics = Metrics()
    repository = ModelRepository(settings.models_dir)
    catalogue = ModelCatalogue(repository, devices, settings.default_model, options, observer=metrics)
    budgets: Budgets[Job] = Budgets(
        limits_for(
            max_image_bytes=settings.max_image_bytes,
            max_waiting_bytes=settings.max_waiting_bytes,
            max_work_bytes=settings.max_work_bytes,
            max_pixels=settings.max_pixels,
            queue_tiles=settings.queue_tiles,
        )
    )
    worker = DeviceWorker(
        devices,
        queue=budgets.queue,
        cpu_lanes=cpu_lanes,
        observer=metrics,
        test_device=catalogue.test_device,
        test_model=catalogue.test_model,
        stuck_after_s=settings.stuck_after_s,
    )
    reloader = Reloader(catalogue, interval_s=settings.reload_interval_s, processors=processors)
    predictor = Predictor(
        worker,
        budgets,
        lenient=settings.truncated_pictures == "accept",
        processes=settings.decode_processes or decode_processes(devices, available_processors()),
        pinned=any(device.type == "cuda" for device in devices),
        timeout_s=settings.request_timeout_s or None,
        observer=metrics,
    )
    metrics.watch(catalogue, worker, budgets)

    def record(request: RequestRecord) -> None:
        metrics.request_done(request)
        _log_request(request)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        worker.start()
        predictor.start()
        reloader.start()
        try:
            yield
        finally:
            catalogue.stop()
            await asyncio.to_thread(worker.stop, finish_running=False, wait_s=ABORT_S)
            await asyncio.to_thread(reloader.stop)
            await predictor.close()

    services = Services(catalogue, predictor, worker, reloader, metrics.exposition, settings.batch_pictures)
    origins = [origin.strip() for origin in settings.cors_origins.split(",") if origin]
    table = ConnectionTable(connection_limits(settings), metrics)
    app = create_app(
        services,
        uploads=budgets.uploads,
        cors_origins=origins,
        root_path=settings.root_path,
        record=record,
        gate=table,
        refused=metrics.refused,
        lifespan=lifespan,
    )
    app.state.connections = table
    mount_page(app, settings.examples_dir, settings.root_path)
    return app


def decode_processes(devices: Sequence[torch.device], processors: int) -> int:
    """The number of processes that decode: two if a CPU computes.

    If only GPUs compute, decoding limits the throughput: then all processors except one per GPU and one for the event
    loop, at least two.
    """
    gpus = sum(device.type == "cuda" for device in devices)
    return FEWEST_DECODE_PROCESSES if gpus < len(devices) else max(FEWEST_DECODE_PROCESSES, processors - gpus - 1)


def connection_limits(settings: Settings) -> ConnectionLimits:
    """The limits of connections: those of the settings, or fewer connections if the process may open fewer files."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return ConnectionLimits(
        limit_for(settings.max_connections, files - psutil.Process().num_fds()),
        settings.head_timeout_s,
        settings.stall_timeout_s,
        settings.least_bytes_per_s,
    )


class Server(uvicorn.Server):
    """Keeps connections within their limits. Finishes requests in flight when it is stopped.

    Requests that take longer than the grace period get 503. Ends itself when the health of the devices requires it.
    `ending` ends the process even if something hangs; None: the server shares its process with other work.
    """

    def __init__(self, app: FastAPI, settings: Settings) -> None:
        services: Services = app.state.services
        self._worker, self._predictor, self._grace_s = services.worker, services.predictor, settings.shutdown_grace_s
        self._connections: ConnectionTable = app.state.connections
        self._in_flight: RequestsInFlight = app.state.in_flight
        self._unread = 0  # connections with a part of an answer that was not sent within the grace period
        self._fault = False
        self.ending: Ending | None = None
        config = uvicorn.Config(
            app,
            http=partial(LimitedProtocol, self._connections),  # type: ignore[arg-type]  # uvicorn only calls it
            ws="none",
            backlog=self._connections.limits.accepted_per_turn,
            timeout_keep_alive=settings.idle_timeout_s,
            log_config=None,
            access_log=False,
            server_header=False,
            forwarded_allow_ips=settings.forwarded_allow_ips,
            timeout_graceful_shutdown=self._grace_s + STALLED_S,  # type: ignore[arg-type]  # asyncio takes fractions
        )
        super().__init__(config)

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
        """Starts to serve.

        asyncio accepts up to `backlog` connections in one turn of the event loop, and sets the system's queue to this
        length. The queue must be longer.
        """
        asyncio.get_running_loop().set_exception_handler(self._on_loop_error)
        await super().startup(sockets)
        for listener in sockets or ():
            listener.listen(BACKLOG)

    def _on_loop_error(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """asyncio reports here each connection that it cannot accept: thousands a second while no file is free."""
        if context["message"] == "socket.accept() out of system resource":
            self._connections.out_of_files()
        else:
            loop.default_exception_handler(context)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Refuses new pictures, waits for the requests in flight, and shuts down."""
        self._worker.drain()
        timer = asyncio.get_running_loop().call_later(self._grace_s, self._abort)
        await super().shutdown(sockets)
        timer.cancel()

    def _abort(self) -> None:
        """Ends the grace period: answers what waits by EngineStopped, and stops the devices after their units."""
        self._unread = sum(_unsent_bytes(each) > 0 for each in self.server_state.connections)
        self._in_flight.give_up()
        self._connections.close_stalled()
        self._predictor.stop_decoding()
        stop = partial(self._worker.stop, finish_running=False, wait_s=ABORT_S)
        Thread(target=stop, name="tessera-stop", daemon=True).start()


def _unsent_bytes(connection: asyncio.Protocol) -> int:
    transport: asyncio.WriteTransport = connection.transport  # type: ignore[attr-defined]  # of uvicorn's protocols
    return transport.get_write_buffer_size()


def serve(settings: Settings) -> int:
    """Serves until SIGTERM or SIGINT, and returns 0 if all requests were answered.

    Raises SystemExit with the reason if it cannot serve, and with another ExitStatus. Ends the process if threads are
    left.
    """
    share_one_heap()
    logging.basicConfig(level=settings.log_level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    for name in unknown_variables():
        _log.warning("the environment variable %s is not a setting of this server, and is ignored", name)
    if not settings.models_dir.is_dir():
        raise SystemExit(f"tessera: models_dir {settings.models_dir} is not a directory; make it, or name another")
    try:
        app = build_app(settings)
    except InvalidDevice as error:
        raise SystemExit(f"tessera: {error}") from error
    with listen(settings.host, settings.port) as listener:
        port = listener.getsockname()[1]
        _log.info("serving %s on http://%s:%d, described at /docs", settings.models_dir, settings.host, port)
        server = Server(app, settings)
        server.ending = Ending(lambda: server.status)
        server.run(sockets=[listener])
    leave(server.status)
    return 0


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; raises SystemExit with the reason if the address cannot be used."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        raise SystemExit(f"tessera: cannot listen on {host} port {port}: {error.strerror}; set others") from error
    # Accepted connections inherit TCP_NODELAY. asyncio does not set it for sockets that do not name a protocol, as this
    # one. Without TCP_NODELAY the body of a response waits until the client has acknowledged the headers, which
    # clients delay by 40 ms.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT_BYTES)
    return listener


def _log_request(request: RequestRecord) -> None:
    level = logging.DEBUG if request.route in _QUIET else logging.INFO
    _request_log.log(
        level,
        "%s %r model=%r status=%d ms=%.1f client=%r id=%s",
        request.method[:LONGEST],
        request.path[:LONGEST],  # repr escapes line breaks: a client cannot forge a log line
        request.model and request.model[:LONGEST],
        request.status,
        1000 * request.seconds,
        request.client,
        request.request_id,
    )
