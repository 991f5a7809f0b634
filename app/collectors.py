"""Metrics whose values are collected at each scrape, from the parts that know them."""

from collections.abc import Iterator
from contextlib import suppress

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from app import metric_table as table
from app.admission import Budgets
from app.artifacts import Artifact
from app.drift import Health, State
from app.errors import JobsDatabaseUnavailable, PicturesDatabaseUnavailable
from app.events import Outlets
from app.jobs import Jobs
from app.scheduling import Job
from app.service import Cameras, ModelCatalogue
from app.service.shadow import ShadowLedger
from app.store.kept import PictureStore


class BudgetCollector(Collector):
    """The budgets, collected at each scrape."""

    def __init__(self, budgets: Budgets[Job]) -> None:
        self._budgets = budgets

    def collect(self) -> Iterator[Metric]:
        used, limits = (
            GaugeMetricFamily(info.name, info.help, labels=info.labels)
            for info in (table.BUDGET_USED, table.BUDGET_LIMIT)
        )
        for name, taken, limit in self._budgets.usage():
            used.add_metric([name], taken)
            limits.add_metric([name], limit)
        returns = CounterMetricFamily(table.RETURNS.name, table.RETURNS.help, labels=table.RETURNS.labels)
        for name, admitted, refused in self._budgets.returns():
            returns.add_metric([name, "admitted"], admitted)
            returns.add_metric([name, "refused"], refused)
        yield used
        yield limits
        yield returns


class JobCollector(Collector):
    """The jobs, collected at each scrape. Nothing is collected while their disk fails."""

    def __init__(self, jobs: Jobs) -> None:
        self._jobs = jobs

    def collect(self) -> Iterator[Metric]:
        count = GaugeMetricFamily(table.JOBS.name, table.JOBS.help, labels=table.JOBS.labels)
        free = GaugeMetricFamily(table.JOBS_BYTES.name, table.JOBS_BYTES.help)
        with suppress(JobsDatabaseUnavailable, OSError):
            for state, number in self._jobs.counts().items():
                count.add_metric([state], number)
            free.add_metric([], self._jobs.free_bytes())
        yield count
        yield free


class ShadowCollector(Collector):
    """What this process has found of shadows, collected at each scrape, so that withdrawn models disappear."""

    def __init__(self, ledger: ShadowLedger) -> None:
        self._ledger = ledger

    def collect(self) -> Iterator[Metric]:
        pictures, differences = (
            CounterMetricFamily(info.name, info.help, labels=info.labels)
            for info in (table.SHADOW_PICTURES, table.SHADOW_DIFFERENCES)
        )
        for model, version, tally in self._ledger.found():
            where = model, str(version)
            pictures.add_metric([*where, "compared"], tally.compared)
            pictures.add_metric([*where, "dropped"], tally.dropped)
            differences.add_metric([*where, "candidate"], tally.candidate_only)
            differences.add_metric([*where, "served"], tally.served_only)
        yield pictures
        yield differences


class PictureCollector(Collector):
    """The kept pictures, collected at each scrape. Nothing is collected while their database is away."""

    def __init__(self, store: PictureStore) -> None:
        self._store = store

    def collect(self) -> Iterator[Metric]:
        info = table.KEPT_PICTURES
        count = GaugeMetricFamily(info.name, info.help, labels=info.labels)
        size = GaugeMetricFamily(table.KEPT_BYTES.name, table.KEPT_BYTES.help)
        with suppress(PicturesDatabaseUnavailable):
            usage = self._store.usage()
            count.add_metric(["unreviewed"], usage.unreviewed)
            count.add_metric(["reviewed"], usage.reviewed)
            size.add_metric([], usage.bytes)
        yield count
        yield size


class EventCollector(Collector):
    """The events that wait, collected at each scrape."""

    def __init__(self, outlets: Outlets) -> None:
        self._outlets = outlets

    def collect(self) -> Iterator[Metric]:
        waiting, age = (
            GaugeMetricFamily(info.name, info.help, labels=info.labels)
            for info in (table.EVENTS_WAITING, table.EVENTS_AGE)
        )
        for each in self._outlets.waiting():
            waiting.add_metric([each.sink], each.count)
            age.add_metric([each.sink], each.age_s)
        yield waiting
        yield age


class VersionCollector(Collector):
    """Metrics of the served versions, collected at each scrape, so that withdrawn versions disappear."""

    def __init__(self, catalogue: ModelCatalogue, cameras: Cameras) -> None:
        self._catalogue, self._cameras = catalogue, cameras

    def collect(self) -> Iterator[Metric]:
        newest, served = (
            GaugeMetricFamily(info.name, info.help, labels=info.labels)
            for info in (table.MODEL_VERSION, table.MODEL_INFO)
        )
        for model in self._catalogue.models():
            if model.live is not None:
                newest.add_metric([model.name], model.live)
        for artifact in self._served():
            served.add_metric([artifact.name, str(artifact.version), artifact.digest], 1)
        yield newest
        yield served
        yield self._stage_seconds()
        yield from self._camera()

    def _camera(self) -> Iterator[Metric]:
        """The comparison of pictures with the training, of each version that has a baseline and got pictures."""
        changed, evidence = (
            GaugeMetricFamily(info.name, info.help, labels=info.labels)
            for info in (table.CAMERA_CHANGED, table.CAMERA_EVIDENCE)
        )
        alarms = CounterMetricFamily(
            table.CAMERA_ALARMS.name, table.CAMERA_ALARMS.help, labels=table.CAMERA_ALARMS.labels
        )
        for artifact in self._served():
            monitor = self._cameras.known(artifact)
            if monitor is None:
                continue
            health, where = monitor.health(), (artifact.name, str(artifact.version))
            changed.add_metric([*where, _cause(health)], float(health.state is State.changed))
            evidence.add_metric(where, health.evidence)
            alarms.add_metric(where, health.alarms)
        yield changed
        yield evidence
        yield alarms

    def _stage_seconds(self) -> CounterMetricFamily:
        """The time of each stage of each model that measures stages. On a CPU the clocks host and device are equal."""
        info = table.MODEL_STAGES
        seconds = CounterMetricFamily(info.name, info.help, labels=info.labels)
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


def _cause(health: Health) -> str:
    return health.last.changes[0] if health.state is State.changed and health.last else "none"
