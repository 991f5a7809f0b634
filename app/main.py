"""The server: builds its parts from the settings, and runs them."""

import asyncio
import logging
import signal
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from types import FrameType

import torch
import uvicorn
from fastapi import FastAPI

from app.api import RequestRecord, Services, create_app
from app.artifacts import ModelRepository
from app.cgroup import available_processors
from app.errors import InvalidDevice
from app.heap import share_one_heap
from app.metrics import Metrics
from app.pipeline import resolve_devices
from app.runtime import RunOptions, precisions
from app.scheduling import DeviceWorker
from app.service import ModelCatalogue, Predictor, Reloader
from app.settings import Settings, unknown_variables
from app.web import mount_page

STALLED_S = 2
"""Requests whose client has stopped sending or reading are cancelled this long after the grace period."""

MOST_CPU_LANES = 4
"""The default limit of lanes on a CPU: more of them cost more memory and cache than they gain."""

FEWEST_DECODE_THREADS = 2

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
    worker = DeviceWorker(
        devices,
        queue_tiles=settings.queue_tiles,
        cpu_lanes=cpu_lanes,
        observer=metrics,
        test_device=catalogue.test_device,
    )
    reloader = Reloader(catalogue, interval_s=settings.reload_interval_s, processors=processors)
    predictor = Predictor(
        worker,
        max_pixels=settings.max_pixels,
        threads=settings.decode_threads or decode_threads(devices, available_processors()),
        pinned=any(device.type == "cuda" for device in devices),
        timeout_s=settings.request_timeout_s or None,
        observer=metrics,
    )
    metrics.watch(catalogue, worker)

    def record(request: RequestRecord) -> None:
        metrics.request_done(request)
        _log_request(request)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        worker.start()
        reloader.start()
        try:
            yield
        finally:
            catalogue.stop()
            await asyncio.to_thread(worker.stop, finish_running=False)
            await asyncio.to_thread(reloader.stop)
            predictor.close()

    services = Services(catalogue, predictor, worker, reloader, metrics.exposition, settings.batch_pictures)
    origins = [origin.strip() for origin in settings.cors_origins.split(",") if origin]
    app = create_app(
        services,
        max_body_bytes=settings.max_image_bytes,
        max_total_body_bytes=settings.max_waiting_bytes,
        cors_origins=origins,
        root_path=settings.root_path,
        record=record,
        lifespan=lifespan,
    )
    mount_page(app, settings.examples_dir, settings.root_path)
    return app


def decode_threads(devices: Sequence[torch.device], processors: int) -> int:
    """The number of threads that decode: two if a CPU computes.

    If only GPUs compute, decoding limits the throughput: then all processors except one per GPU and one for the event
    loop, at least two.
    """
    gpus = sum(device.type == "cuda" for device in devices)
    return FEWEST_DECODE_THREADS if gpus < len(devices) else max(FEWEST_DECODE_THREADS, processors - gpus - 1)


class Server(uvicorn.Server):
    """Finishes requests in flight when it is stopped; requests that take longer than the grace period get 503."""

    def __init__(self, app: FastAPI, settings: Settings) -> None:
        self._worker, self._grace_s = app.state.services.worker, settings.shutdown_grace_s
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            server_header=False,
            forwarded_allow_ips=settings.forwarded_allow_ips,
            timeout_graceful_shutdown=round(self._grace_s + STALLED_S),
        )
        super().__init__(config)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stops the server; a second SIGINT stops it at once. The signal is not recorded, so the exit status is 0."""
        self.force_exit = self.should_exit and sig == signal.SIGINT
        self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Refuses new pictures, waits for the requests in flight, and shuts down."""
        self._worker.drain()
        loop = asyncio.get_running_loop()
        abort = partial(loop.run_in_executor, None, partial(self._worker.stop, finish_running=False))
        timer = loop.call_later(self._grace_s, abort)
        await super().shutdown(sockets)
        timer.cancel()


def serve(settings: Settings) -> int:
    """Serves until SIGTERM or SIGINT, and returns 0. Raises SystemExit with the reason if it cannot serve."""
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
        Server(app, settings).run(sockets=[listener])
    return 0


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; raises SystemExit with the reason if the address cannot be used."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        raise SystemExit(f"tessera: cannot listen on {host} port {port}: {error.strerror}; set others") from error
    # Accepted connections inherit TCP_NODELAY. asyncio does not set it for sockets that do not name a protocol, as this
    # one. Without TCP_NODELAY the body of a response waits until the client has acknowledged the headers, which
    # clients delay by 40 ms.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def _log_request(request: RequestRecord) -> None:
    level = logging.DEBUG if request.route in _QUIET else logging.INFO
    _request_log.log(
        level,
        "%s %r model=%r status=%d ms=%.1f client=%r id=%s",
        request.method,
        request.path,  # repr escapes line breaks: a client cannot forge a log line
        request.model,
        request.status,
        1000 * request.seconds,
        request.client,
        request.request_id,
    )
