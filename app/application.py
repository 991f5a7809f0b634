"""Builds the application and all its parts from the settings."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

import torch
from fastapi import FastAPI

from app.admission import Budgets, TileRates, limits_for
from app.api import Replicas, Services, create_app
from app.api.camera_alarms import tell_change
from app.api.request_context import current_request
from app.api.verdicts import Verdicts
from app.artifacts import ModelRepository
from app.cgroup import available_processors
from app.connections import ConnectionTable
from app.draining import ABORT_S
from app.events import Outlets, sinks_of
from app.metrics import Metrics
from app.observation import Observation
from app.parts import (
    allowed_hosts,
    connection_limits,
    decode_processes,
    jobs_of,
    keeping_of,
    key_ring,
    repository_of,
    teachings_of,
    trainings_of,
    verdict_record,
)
from app.pipeline import resolve_devices
from app.runtime import RunOptions, precisions
from app.scheduling import DeviceWorker, Job
from app.service import Cameras, ModelCatalogue, Predictor, Reloader
from app.service.fan_out import Engines, FanOut
from app.service.shadow import ShadowLedger, Shadows
from app.service.streaming import Streams
from app.service.zones import ZoneEditor
from app.settings import Settings
from app.traces import otlp_exporter, tracer
from app.web import mount_page

MOST_CPU_LANES = 4
"""The default limit of lanes on a CPU: more of them cost more memory and cache than they gain."""


@dataclass(frozen=True, slots=True)
class DeviceParts:
    """The parts of a process that computes: those of a server, or of an engine for other servers."""

    devices: Sequence[torch.device]
    repository: ModelRepository
    catalogue: ModelCatalogue
    budgets: Budgets[Job]
    worker: DeviceWorker
    reloader: Reloader


def device_parts(settings: Settings, metrics: Metrics) -> DeviceParts:
    """The models of the repository, on the devices of the settings, and what computes with them.

    Raises InvalidDevice.
    """
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
    repository = repository_of(settings)
    catalogue = ModelCatalogue(
        repository,
        devices,
        settings.default_model,
        options,
        serve_new=settings.serve_new,
        most_loaded=settings.max_loaded_versions,
        observer=metrics,
    )
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
    return DeviceParts(devices, repository, catalogue, budgets, worker, reloader)


def build_app(settings: Settings, replicas: Replicas | None = None, engines: Engines = Engines()) -> FastAPI:  # noqa: B008
    """The application. Its lifespan starts and stops the threads of the devices; models are loaded while it serves.

    replicas: all replicas of the application; None: there is one only
    engines: those of other processes that measure blocks of large pictures
    """
    keys, sinks = key_ring(settings), sinks_of(settings.on_verdict)  # what may be wrong, before anything is created
    metrics = Metrics()
    parts = device_parts(settings, metrics)
    devices, catalogue, budgets, worker = parts.devices, parts.catalogue, parts.budgets, parts.worker
    reloader, fan_out = parts.reloader, FanOut(worker, engines)
    record = verdict_record(settings, metrics)
    trace, finish_traces = (
        (None, None) if not settings.traces_endpoint else tracer(otlp_exporter(settings.traces_endpoint))
    )
    observation = Observation(metrics, record, trace)
    outlets = Outlets(sinks, settings.spool_dir, settings.spool_bytes, metrics)
    metrics.watch_outlets(outlets)
    pictures = keeping_of(settings, _request_id, metrics)
    cameras = Cameras([partial(tell_change, outlets)] if outlets.wanted else [])
    ledger = ShadowLedger(parts.repository, catalogue)
    shadows = Shadows(ledger, worker, budgets, _request_id)
    predictor = Predictor(
        worker,
        budgets,
        lenient=settings.truncated_pictures == "accept",
        processes=settings.decode_processes or decode_processes(devices, available_processors()),
        pinned=any(device.type == "cuda" for device in devices),
        timeout_s=settings.request_timeout_s or None,
        digests=record is not None or outlets.wanted,
        observer=observation,
        cameras=cameras,
        fan_out=fan_out,
        shadows=shadows,
        keeper=None if pictures is None else pictures.keeper,
    )
    metrics.watch(catalogue, worker, budgets, cameras)
    metrics.watch_shadows(ledger)
    jobs = jobs_of(settings, catalogue, budgets, fan_out, divided=bool(engines.others))
    streams = Streams(
        worker, budgets.memory, most=settings.max_streams, idle_s=settings.stream_idle_s, observer=metrics
    )
    metrics.watch_streams(lambda: streams.open)
    if jobs is not None:
        metrics.watch_jobs(jobs)
    trainings = trainings_of(settings, reloader)
    teachings = teachings_of(settings, trainings, pictures, reloader)
    if pictures is not None:
        metrics.watch_pictures(pictures.store)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        if record is not None:
            record.start()
        worker.start()
        fan_out.start()
        predictor.start()
        ledger.start()
        reloader.start()
        if keys is not None:
            keys.start()
        outlets.start()
        if jobs is not None:
            jobs.start()
        if pictures is not None:
            pictures.start()
        try:
            yield
        finally:
            if keys is not None:
                keys.stop()
            catalogue.stop()
            if jobs is not None:
                await asyncio.to_thread(jobs.stop)
            if teachings is not None:
                await asyncio.to_thread(teachings.stop)
            if trainings is not None:
                await asyncio.to_thread(trainings.stop)
            await streams.close()
            await shadows.close()
            await asyncio.to_thread(worker.stop, finish_running=False, wait_s=ABORT_S)
            await asyncio.to_thread(reloader.stop)
            await predictor.close()
            await asyncio.to_thread(ledger.stop)
            await fan_out.close()
            if pictures is not None:
                await asyncio.to_thread(pictures.stop)
            await asyncio.to_thread(outlets.stop)
            if record is not None:
                await asyncio.to_thread(record.stop)
            if finish_traces is not None:
                await asyncio.to_thread(finish_traces)

    services = Services(
        catalogue,
        predictor,
        worker,
        reloader,
        metrics.exposition,
        settings.batch_pictures,
        cameras,
        ledger,
        Verdicts(outlets),
        keys,
        TileRates(),
        streams,
        ZoneEditor(parts.repository, catalogue),
        lambda: [
            *catalogue.notes(),
            *observation.notes(),
            *(jobs.notes() if jobs is not None else ()),
            *(pictures.notes() if pictures is not None else ()),
        ],
        jobs,
        replicas,
        trainings,
        pictures,
        teachings,
    )
    origins = [origin.strip() for origin in settings.cors_origins.split(",") if origin]
    table = ConnectionTable(connection_limits(settings), metrics)
    app = create_app(
        services,
        uploads=budgets.uploads,
        cors_origins=origins,
        allowed_hosts=allowed_hosts(settings, origins),
        root_path=settings.root_path,
        record=observation.request_done,
        gate=table,
        refused=metrics.refused,
        lifespan=lifespan,
    )
    app.state.connections = table
    mount_page(app, settings.examples_dir, settings.root_path)
    return app


def _request_id() -> str:
    """The ID of the request that the calling task answers."""
    request = current_request()
    return "" if request is None else request.request_id
