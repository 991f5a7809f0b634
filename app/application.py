"""Builds the application and all its parts from the settings."""

import asyncio
import logging
import os
import resource
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import psutil
import torch
from fastapi import FastAPI

from app.admission import Budgets, TileRates, limits_for
from app.api import Replicas, Services, create_app
from app.api.camera_alarms import tell_change
from app.api.jobs.forms import JOB_FORMS
from app.api.origins import ANY, name_of
from app.api.request_context import current_request
from app.api.verdicts import Verdicts
from app.artifacts import MirroredRepository, ModelRepository
from app.cgroup import available_processors
from app.connections import ConnectionLimits, ConnectionTable, limit_for
from app.draining import ABORT_S
from app.errors import (
    InvalidBucket,
    InvalidJobs,
    InvalidTrainings,
    ModelNotFound,
    UnreadableRepository,
)
from app.events import Outlets, sinks_of
from app.jobs import JobLimits, JobPlaces, Jobs
from app.keys import KeyRing, parse_keys
from app.metrics import Metrics
from app.observation import Observation
from app.pipeline import resolve_devices
from app.records import VerdictRecord
from app.remote import RemoteFolder
from app.runtime import RunOptions, precisions
from app.scheduling import DeviceWorker, Job
from app.service import Cameras, ModelCatalogue, Predictor, Reloader
from app.service.fan_out import Engines, FanOut, divided_bytes
from app.service.keeping import Keeping, parse_rules
from app.service.shadow import ShadowLedger, Shadows
from app.service.streaming import Streams
from app.settings import Settings
from app.store import BucketResults, FolderResults, Results
from app.store.kept import Bounds, PictureStore
from app.traces import otlp_exporter, tracer
from app.trainings import TrainingLimits, Trainings
from app.web import mount_page

MOST_CPU_LANES = 4
"""The default limit of lanes on a CPU: more of them cost more memory and cache than they gain."""

FEWEST_DECODE_PROCESSES = 2

_log = logging.getLogger("tessera")


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
        repository, devices, settings.default_model, options, serve_new=settings.serve_new, observer=metrics
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
    pictures = keeping_of(settings, metrics)
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


def jobs_of(
    settings: Settings, catalogue: ModelCatalogue, budgets: Budgets[Job], fan_out: FanOut, *, divided: bool
) -> Jobs | None:
    """The jobs; None if the settings name no folder for them. Raises InvalidJobs or InvalidBucket.

    divided: whether `fan_out` has engines, so that pictures may take the memory of divided ones
    """
    if settings.jobs_dir is None:
        return None
    limits = JobLimits(
        running=settings.jobs_running,
        per_key=settings.jobs_per_key,
        bytes_per_key=settings.jobs_bytes_per_key,
        free_bytes=settings.jobs_free_bytes,
        expiry_s=settings.jobs_expiry_s,
        lease_s=settings.jobs_lease_s,
    )

    def require_memory(band_bytes: int, pixels: int) -> None:
        budgets.memory.require(band_bytes + (divided_bytes(pixels) if divided else 0), "a band of the picture")

    return Jobs(
        JobPlaces(settings.jobs_dir, settings.jobs_folder, settings.jobs_database),
        limits,
        catalogue,
        require_memory,
        JOB_FORMS,
        fan_out.background,
        results_of(settings),
    )


def trainings_of(settings: Settings, reloader: Reloader) -> Trainings | None:
    """The trainings; None if the settings name no folder for them. Raises InvalidTrainings."""
    if settings.trainings_dir is None:
        return None
    if not isinstance(settings.models_dir, Path):
        raise InvalidTrainings(
            f"trainings_dir is {settings.trainings_dir}, and models_dir is a bucket, to which a server does not write; "
            "name a folder by models_dir, or leave out trainings_dir"
        )
    limits = TrainingLimits(settings.training_timeout_s, settings.training_bytes, torch.get_num_threads())
    return Trainings(settings.trainings_dir, ModelRepository(settings.models_dir), limits, reloader.reload)


def keeping_of(settings: Settings, metrics: Metrics) -> Keeping | None:
    """What keeps pictures; None if the settings name no folder for them. Raises InvalidPictures or InvalidJobs."""
    if settings.pictures_dir is None:
        return None
    store = picture_store(settings.pictures_dir, settings)
    return Keeping(store, parse_rules(settings.pictures_keep), _request_id, metrics)


def picture_store(folder: Path, settings: Settings) -> PictureStore:
    """The kept pictures in a folder. Raises InvalidPictures or InvalidJobs."""
    bounds = Bounds(
        bytes=settings.pictures_bytes,
        age_s=settings.pictures_age_s,
        reviewed_age_s=settings.pictures_reviewed_age_s,
        free_bytes=settings.pictures_free_bytes,
    )
    return PictureStore(folder, settings.jobs_database, bounds)


def results_of(settings: Settings) -> Results | None:
    """Where the results of jobs lie; None: in the folder of jobs. Raises InvalidBucket or InvalidJobs."""
    place = settings.jobs_results
    if place is None:
        return None
    if not isinstance(place, Path):
        return BucketResults(RemoteFolder(place))
    if not place.is_dir():
        raise InvalidJobs(f"{place} (jobs_results) is not a directory; make it, or name another")
    return FolderResults(place)


def require_default(settings: Settings) -> None:
    """Raises ModelNotFound if the repository lacks the model that `default_model` names; and InvalidBucket."""
    wanted = settings.default_model
    if wanted is None:
        return
    repository = repository_of(settings)
    with suppress(UnreadableRepository):  # the catalogue reports it, and tries again
        repository.update()
        if not repository.versions(wanted):
            known = ", ".join(name for name in repository.names() if repository.versions(name)) or "none"
            raise ModelNotFound(
                f"default_model is {wanted!r}, and {repository.place} has no such model; available: {known}"
            )


def repository_of(settings: Settings) -> ModelRepository:
    """The models of a directory or of a bucket; raises InvalidBucket."""
    place = settings.models_dir
    if isinstance(place, Path):
        return ModelRepository(place)
    return MirroredRepository(
        RemoteFolder(place), settings.models_cache or _user_cache() / "tessera/models", settings.models_cache_bytes
    )


def _user_cache() -> Path:
    """The directory for files that can be fetched again (XDG Base Directory Specification)."""
    try:
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    except RuntimeError as error:
        raise InvalidBucket("this user has no home, and so no cache; name a folder by models_cache") from error


def verdict_record(settings: Settings, metrics: Metrics) -> VerdictRecord | None:
    """The record of verdicts; None if the settings name none. Raises InvalidRecord."""
    if settings.verdict_record is None:
        return None
    record = VerdictRecord(
        settings.verdict_record, settings.verdict_record_bytes, settings.verdict_record_files, metrics.lines_recorded
    )
    metrics.watch_record(lambda: record.waiting)
    return record


def allowed_hosts(settings: Settings, origins: Sequence[str]) -> list[str]:
    """The names by which clients may reach the server, apart from addresses and names without a dot; `*`: any.

    By default a server on a loopback address knows the names of `origins` only, so that no site can use it under a name
    of its own (DNS rebinding). Proxies on the same machine that pass on the client's `Host`, such as Caddy, need the
    setting: their requests look the same.
    """
    if settings.allowed_hosts:
        return [host.strip() for host in settings.allowed_hosts.split(",")]
    return [name_of(origin.partition("//")[2]) for origin in origins] if is_loopback(settings.host) else [ANY]


def is_loopback(host: str) -> bool:
    """Whether only programs on this machine reach a server that listens on this address."""
    return host in ("localhost", "::1") or host.startswith("127.")


def key_ring(settings: Settings) -> KeyRing | None:
    """The API keys of the settings; None: the settings have none, and requests need none. Raises InvalidKeys."""
    if settings.keys_file is None and not settings.api_keys:
        return None
    return KeyRing(settings.keys_file, parse_keys(settings.api_keys, "api_keys") if settings.api_keys else [])


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
