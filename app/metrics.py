"""What Prometheus is told."""

from collections.abc import Iterator
from functools import partial

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from app.api import RequestRecord
from app.artifacts import Artifact
from app.errors import TesseraError
from app.scheduling import DeviceWorker, End
from app.service import ModelCatalogue, Timings

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
LOAD_SECONDS = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0)
TILES = (1, 2, 4, 8, 16, 32, 64, 128, 256)


class Metrics:
    """A registry of its own, and the observers that fill it. May be told from any thread."""

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        self._requests = Counter(
            "tessera_requests", "Requests by route and status", ("method", "route", "status"), registry=registry
        )
        self._latency = Histogram(
            "tessera_request_seconds", "Duration of requests", ("route",), buckets=SECONDS, registry=registry
        )
        self._stages = Histogram(
            "tessera_stage_seconds", "Duration of a picture's stages", ("stage",), buckets=SECONDS, registry=registry
        )
        self._tiles = Counter("tessera_tiles", "Tiles that the devices ran", registry=registry)
        self._room = Counter(
            "tessera_tiles_room", "Tiles that the batches might have had: tiles / room is how full", registry=registry
        )
        self._batches = Histogram("tessera_batch_tiles", "Tiles per batch", buckets=TILES, registry=registry)
        self._failed = Counter("tessera_failed_batches", "Batches that failed, and were divided", registry=registry)
        self._busy = Counter("tessera_device_busy_seconds", "Time of the devices by work", ("work",), registry=registry)
        self._flight = Gauge("tessera_pictures_in_flight", "Pictures that devices have in work", registry=registry)
        self._ends = Counter(
            "tessera_device_pictures", "Pictures that devices had, by how they ended", ("end",), registry=registry
        )
        self._late = Counter("tessera_deadlines_missed", "Pictures not answered within their time", registry=registry)
        self._queue = Gauge("tessera_queue_tiles", "Tiles that wait or run", registry=registry)
        self._models = Gauge("tessera_models", "Versions of models by state", ("state",), registry=registry)
        self._healthy = Gauge("tessera_device_healthy", "1 if the device works", ("device",), registry=registry)
        self._loads = Counter(
            "tessera_model_loads",
            "Versions tried, by result: ready, or an error's code",
            ("result",),
            registry=registry,
        )
        self._load_seconds = Histogram(
            "tessera_model_load_seconds", "Duration of a version's load", buckets=LOAD_SECONDS, registry=registry
        )
        self._looks = Counter(
            "tessera_repository_looks", "Looks at the model repository", ("result",), registry=registry
        )
        self._look_seconds = Histogram(
            "tessera_reload_seconds", "Duration of looks with their loads", buckets=LOAD_SECONDS, registry=registry
        )

    def watch(self, catalogue: ModelCatalogue, worker: DeviceWorker) -> None:
        """Has the gauges that nobody reports read at each scrape."""
        self._models.labels(state="loading").set_function(lambda: catalogue.count("loading"))
        self._models.labels(state="ready").set_function(lambda: catalogue.count("ready"))
        self._models.labels(state="failed").set_function(lambda: catalogue.count("failed"))
        for device in worker.devices:
            self._healthy.labels(device).set_function(partial(_works, worker, device))
        self._registry.register(_Versions(catalogue))

    def exposition(self) -> bytes:
        """Everything, in Prometheus' text format."""
        return generate_latest(self._registry)

    def request_done(self, record: RequestRecord) -> None:
        """A request was answered."""
        route = record.route or "none"
        self._requests.labels(record.method, route, str(record.status)).inc()
        self._latency.labels(route).observe(record.seconds)

    def version_tried(self, error: TesseraError | None, seconds: float) -> None:
        """See app.service.CatalogueObserver."""
        self._loads.labels("ready" if error is None else error.code).inc()
        self._load_seconds.observe(seconds)

    def looked(self, readable: bool, seconds: float) -> None:
        """See app.service.CatalogueObserver."""
        self._looks.labels("done" if readable else "unreadable").inc()
        self._look_seconds.observe(seconds)

    def queue_changed(self, tiles: int) -> None:
        """See app.scheduling.Observer."""
        self._queue.set(tiles)

    def flight_changed(self, pictures: int) -> None:
        """See app.scheduling.Observer."""
        self._flight.set(pictures)

    def batch_done(self, tiles: int, room: int, seconds: float) -> None:
        """See app.scheduling.Observer."""
        self._batches.observe(tiles)
        self._tiles.inc(tiles)
        self._room.inc(room)
        self._busy.labels("batches").inc(seconds)

    def batch_failed(self, tiles: int, seconds: float) -> None:
        """See app.scheduling.Observer."""
        self._failed.inc()
        self._busy.labels("batches").inc(seconds)

    def step_done(self, seconds: float) -> None:
        """See app.scheduling.Observer."""
        self._busy.labels("steps").inc(seconds)

    def picture_ended(self, how: End) -> None:
        """See app.scheduling.Observer."""
        self._ends.labels(how).inc()

    def deadline_missed(self) -> None:
        """See app.service.StageObserver."""
        self._late.inc()

    def answered(self, timings: Timings) -> None:
        """See app.service.StageObserver."""
        stages = {
            "decode": timings.decode_s,
            "queue": timings.queue_s,
            "device": timings.device_s,
            "render": timings.render_s,
        }
        for stage, seconds in stages.items():
            self._stages.labels(stage).observe(seconds)


def _works(worker: DeviceWorker, device: str) -> float:
    return worker.devices[device]


class _Versions(Collector):
    """Which versions are served, read at each scrape, so that nothing is told of those that are gone."""

    def __init__(self, catalogue: ModelCatalogue) -> None:
        self._catalogue = catalogue

    def collect(self) -> Iterator[Metric]:
        """See Collector."""
        newest = GaugeMetricFamily(
            "tessera_model_version", "The version served unless one is asked for", labels=["model"]
        )
        served = GaugeMetricFamily(
            "tessera_model_info", "1 for each version that is served", labels=["model", "version", "digest"]
        )
        for model in self._catalogue.models():
            if model.newest is not None:
                newest.add_metric([model.name], model.newest.version)
        for artifact in self._served():
            served.add_metric([artifact.name, str(artifact.version), artifact.digest], 1)
        yield newest
        yield served
        yield self._stage_seconds()

    def _stage_seconds(self) -> CounterMetricFamily:
        """The time of each stage of each model that measures it; on a CPU host and device are the same time."""
        seconds = CounterMetricFamily(
            "tessera_model_stage_seconds",
            "Time of a model's stages on its devices, with the setting stage_times",
            labels=["model", "version", "device", "stage", "clock"],
        )
        for artifact in self._served():
            for model in artifact.models:
                if not model.stages.enabled:
                    continue
                where = artifact.name, str(artifact.version), str(model.device)
                for stage, total in model.stages.totals().items():
                    seconds.add_metric([*where, stage, "host"], total.host_s)
                    seconds.add_metric([*where, stage, "device"], total.device_s)
        return seconds

    def _served(self) -> Iterator[Artifact]:
        for model in self._catalogue.models():
            yield from (status.artifact for status in model.versions if status.artifact)
