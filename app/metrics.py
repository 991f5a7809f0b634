"""The values of the Prometheus metrics; app/metric_table describes each metric."""

from collections.abc import Callable
from functools import partial
from math import inf

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

from app import metric_table as table
from app.admission import Budgets
from app.api import RequestRecord
from app.collectors import (
    BudgetCollector,
    EventCollector,
    JobCollector,
    PictureCollector,
    ShadowCollector,
    VersionCollector,
)
from app.decoders.pool import Replaced
from app.errors import TesseraError
from app.events import Outlets
from app.jobs import Jobs
from app.metric_table import MetricInfo
from app.pipeline import Label
from app.scheduling import DeviceWorker, End, Job
from app.service import Cameras, ModelCatalogue, Verdict, VersionState
from app.service.shadow import ShadowLedger
from app.store.kept import Kept, PictureStore

METHODS = frozenset({"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"})
"""The methods that metrics name. Clients can make others without limit, and each would be a series."""


class Metrics:
    """Owns the registry of the metrics, and fills it as an observer. Every method may be called from any thread."""

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        self._requests = _counter(table.REQUESTS, registry)
        self._latency = _histogram(table.REQUEST_SECONDS, registry)
        self._connections = _gauge(table.CONNECTIONS, registry)
        self._limited = _counter(table.LIMITED_CONNECTIONS, registry)
        self._stages = _histogram(table.STAGE_SECONDS, registry)
        self._verdicts = _counter(table.VERDICTS, registry)
        self._scores = _histogram(table.SCORES_GIVEN, registry)
        self._judged: set[tuple[str, int]] = set()  # the versions that have series of verdicts
        self._tiles = _counter(table.TILES_RUN, registry)
        self._room = _counter(table.TILES_ROOM, registry)
        self._batches = _histogram(table.BATCH_TILES, registry)
        self._failed = _counter(table.FAILED_BATCHES, registry)
        self._busy = _counter(table.BUSY_SECONDS, registry)
        self._flight = _gauge(table.IN_FLIGHT, registry)
        self._ends = _counter(table.ENDS, registry)
        self._not_finite = _counter(table.NOT_FINITE, registry)
        self._late = _counter(table.DEADLINES, registry)
        self._partial = _counter(table.PARTIAL, registry)
        self._replaced = _counter(table.DECODERS_REPLACED, registry)
        self._lines = _counter(table.RECORD_LINES, registry)
        self._lines_waiting = _gauge(table.RECORD_WAITING, registry)
        self._lanes = _gauge(table.LANES, registry)
        self._queue_s = _gauge(table.QUEUE_SECONDS, registry)
        self._catalogue: ModelCatalogue | None = None
        self._queue = _gauge(table.QUEUE_TILES, registry)
        self._refusals = _counter(table.REFUSALS, registry)
        self._models = _gauge(table.MODELS, registry)
        self._healthy = _gauge(table.HEALTHY, registry)
        self._loads = _counter(table.LOADS, registry)
        self._unloads = _counter(table.UNLOADS, registry)
        self._load_seconds = _histogram(table.LOAD_TIME, registry)
        self._scans = _counter(table.SCANS, registry)
        self._scan_seconds = _histogram(table.RELOAD_SECONDS, registry)
        self._events = _counter(table.EVENTS, registry)
        self._pictures_kept = _counter(table.PICTURES_KEPT, registry)
        self._streams = _gauge(table.STREAMS, registry)
        self._stream_rows = _counter(table.STREAM_ROWS, registry)
        self._stream_regions = _counter(table.STREAM_REGIONS, registry)

    def watch_outlets(self, outlets: Outlets) -> None:
        """Reads what waits for each sink at each scrape."""
        self._registry.register(EventCollector(outlets))

    def watch_jobs(self, jobs: Jobs) -> None:
        """Reads the jobs at each scrape."""
        self._registry.register(JobCollector(jobs))

    def watch_pictures(self, store: PictureStore) -> None:
        """Reads the kept pictures at each scrape."""
        for result in (*Kept, "dropped", "failed"):
            self._pictures_kept.labels(result)
        self._registry.register(PictureCollector(store))

    def picture_kept(self, result: str) -> None:
        """A picture that a rule chose was kept, or not: see KeepObserver."""
        self._pictures_kept.labels(result).inc()

    def watch(self, catalogue: ModelCatalogue, worker: DeviceWorker, budgets: Budgets[Job], cameras: Cameras) -> None:
        """Reads gauges from the catalogue, the worker, the budgets and the cameras at each scrape."""
        self._catalogue = catalogue
        self._queue_s.set_function(lambda: worker.tiles / (budgets.queue.budget.rate() or inf))
        for device, lanes in worker.lanes.items():
            self._lanes.labels(device).set(lanes)
        self._begin_at_zero(worker, budgets)
        for state in VersionState:
            self._models.labels(state=state).set_function(partial(catalogue.count, state))
        for device in worker.devices:
            self._healthy.labels(device).set_function(partial(_works, worker, device))
        self._registry.register(VersionCollector(catalogue, cameras))
        self._registry.register(BudgetCollector(budgets))

    def watch_shadows(self, ledger: ShadowLedger) -> None:
        """Reads what this process has found of shadows at each scrape."""
        self._registry.register(ShadowCollector(ledger))

    def watch_streams(self, streams: Callable[[], int]) -> None:
        """Reads the number of streams of rows at each scrape."""
        self._streams.set_function(streams)

    def rows_taken(self, model: str, rows: int) -> None:
        self._stream_rows.labels(model).inc(rows)

    def regions_found(self, model: str, regions: int) -> None:
        self._stream_regions.labels(model).inc(regions)

    def exposition(self) -> bytes:
        """All metrics, in Prometheus' text format."""
        self._forget_withdrawn()
        return generate_latest(self._registry)

    def request_done(self, record: RequestRecord) -> None:
        route = record.route or "none"
        method = record.method if record.method in METHODS else "other"
        self._requests.labels(method, route, str(record.status)).inc()
        self._latency.labels(route).observe(record.seconds)

    def connections_changed(self, open_connections: int) -> None:
        self._connections.set(open_connections)

    def connection_limited(self, reason: str) -> None:
        self._limited.labels(reason).inc()

    def version_tried(self, error: TesseraError | None, seconds: float) -> None:
        self._loads.labels("ready" if error is None else error.code).inc()
        self._load_seconds.observe(seconds)

    def version_unloaded(self) -> None:
        self._unloads.inc()

    def refreshed(self, readable: bool, seconds: float) -> None:
        self._scans.labels("done" if readable else "unreadable").inc()
        self._scan_seconds.observe(seconds)

    def refused(self, limit: str) -> None:
        """A request, or a picture of a batch, was refused by the limit of this setting."""
        self._refusals.labels(limit).inc()

    def event_delivered(self, sink: str) -> None:
        self._events.labels(sink, "delivered").inc()

    def delivery_failed(self, sink: str) -> None:
        self._events.labels(sink, "failed").inc()

    def events_dropped(self, sink: str, reason: str, count: int) -> None:
        self._events.labels(sink, reason).inc(count)

    def queue_changed(self, tiles: int) -> None:
        self._queue.set(tiles)

    def flight_changed(self, pictures: int) -> None:
        self._flight.set(pictures)

    def batch_done(self, device: str, tiles: int, room: int, seconds: float) -> None:
        self._batches.observe(tiles)
        self._tiles.inc(tiles)
        self._room.inc(room)
        self._busy.labels(device, "batches").inc(seconds)

    def batch_failed(self, device: str, tiles: int, seconds: float) -> None:
        self._failed.inc()
        self._busy.labels(device, "batches").inc(seconds)

    def step_done(self, device: str, seconds: float) -> None:
        self._busy.labels(device, "steps").inc(seconds)

    def picture_ended(self, how: End) -> None:
        self._ends.labels(how).inc()

    def not_finite(self, device: str) -> None:
        self._not_finite.labels(device).inc()

    def deadline_missed(self) -> None:
        self._late.inc()

    def decoder_replaced(self, reason: Replaced) -> None:
        self._replaced.labels(reason).inc()

    def answered(self, verdict: Verdict) -> None:
        """A picture was judged."""
        model, version, timings = verdict.model, str(verdict.version), verdict.timings
        if (model, verdict.version) not in self._judged:
            self._judged.add((model, verdict.version))
            for label in Label:  # a rate of a label that does not exist yet would be no number
                self._verdicts.labels(model, version, label.value)
        self._verdicts.labels(model, version, verdict.label.value).inc()
        if verdict.share == 1:
            self._scores.labels(model, version).observe(verdict.score)
        else:  # its score says little of the whole picture
            self._partial.inc()
        stages = {
            "decode": timings.decode_s,
            "queue": timings.queue_s,
            "device": timings.device_s,
            "render": timings.render_s,
        }
        for stage, seconds in stages.items():
            self._stages.labels(model, stage).observe(seconds)

    def watch_record(self, waiting: Callable[[], int]) -> None:
        """Reads the number of lines that wait to be recorded at each scrape."""
        self._lines_waiting.set_function(waiting)

    def lines_recorded(self, result: str, lines: int) -> None:
        """Lines of the record of verdicts were `written` or `dropped`."""
        self._lines.labels(result).inc(lines)

    def _begin_at_zero(self, worker: DeviceWorker, budgets: Budgets[Job]) -> None:
        """Makes the series that alerts need: a series that begins with its first event shows no increase."""
        for result in ("written", "dropped"):
            self._lines.labels(result)
        for device in worker.devices:
            self._not_finite.labels(device)
        for reason in Replaced:
            self._replaced.labels(reason)
        for limit, _, _ in budgets.usage():
            self._refusals.labels(limit)

    def _forget_withdrawn(self) -> None:
        """Removes the series of versions and models that are no longer served, so that their number stays bounded."""
        if self._catalogue is None:
            return
        served = {
            (model.name, status.entry.version)
            for model in self._catalogue.models()
            for status in model.versions
            if status.description is not None
        }
        gone = {each for each in self._judged.copy() if each not in served}
        for name, version in gone:
            self._judged.discard((name, version))
            self._verdicts.remove_by_labels({"model": name, "version": str(version)})
            self._scores.remove_by_labels({"model": name, "version": str(version)})
        for name in {name for name, _ in gone} - {name for name, _ in served}:
            self._stages.remove_by_labels({"model": name})


def _counter(info: MetricInfo, registry: CollectorRegistry) -> Counter:
    return Counter(info.name, info.help, info.labels, registry=registry)


def _gauge(info: MetricInfo, registry: CollectorRegistry) -> Gauge:
    return Gauge(info.name, info.help, info.labels, registry=registry)


def _histogram(info: MetricInfo, registry: CollectorRegistry) -> Histogram:
    return Histogram(info.name, info.help, info.labels, buckets=info.buckets, registry=registry)


def _works(worker: DeviceWorker, device: str) -> float:
    return worker.devices[device]
