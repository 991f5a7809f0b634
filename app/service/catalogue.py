"""The models that are served."""

import asyncio
import gc
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from time import monotonic
from typing import Protocol

import torch

from app.artifacts import Artifact, ModelRepository
from app.errors import GoldenMismatch, InvalidArtifact, ModelLoading, UnreadableRepository, VersionNotFound
from app.pipeline import TiledModel
from app.runtime import RunOptions
from app.service.choices import ServeNew
from app.service.current_table import CurrentTable
from app.service.reloaded import ReloadedModel, compare
from app.service.repository_scan import RepositoryScan
from app.service.residency import Residency
from app.service.version_loader import LoadObserver, VersionLoader
from app.service.version_table import ServedModel, VersionState, VersionStatus, VersionTable

PATIENCE_S = 15.0
"""After this time, a version that is being loaded no longer delays the next ones, nor the readiness of the server."""

LIMIT_S = 300.0
"""After this time, a version that is being loaded counts as failed. It is served if its load ends nevertheless."""

LOAD_S = 30.0
"""How long a request waits for a model that is not in memory."""


class CatalogueObserver(LoadObserver, Protocol):
    """Receives the results of scans and loads, in the threads that scan and load."""

    def version_unloaded(self) -> None:
        """A version was taken from memory to make room for another one."""

    def refreshed(self, readable: bool, seconds: float) -> None:
        """A scan has ended, with all of its loads."""


class ModelCatalogue:
    """The models of a repository, as of the last scan.

    A version that cannot be loaded is refused with its reason; the others are served. Versions are swapped atomically.
    A request keeps the artifact that it started with, whose memory is freed after the last such request. One thread
    scans, at the start and on changes; any thread may read at any time. Each device has its own copy of a model, which
    reproduced the golden sample.

    most_loaded: how many versions are in memory; None: all. Others are loaded when requests need them, while the
    threads of a Reloader run, and the versions that were not used for longest are taken from memory for them.
    """

    def __init__(
        self,
        repository: ModelRepository,
        devices: Sequence[torch.device],
        default_model: str | None = None,
        options: RunOptions = RunOptions(),  # noqa: B008
        *,
        serve_new: ServeNew = "newest",
        most_loaded: int | None = None,
        patience_s: float = PATIENCE_S,
        limit_s: float = LIMIT_S,
        clock: Callable[[], float] = monotonic,
        observer: CatalogueObserver | None = None,
    ) -> None:
        self._clock, self._observer = clock, observer
        self._table = CurrentTable(VersionTable(default_model))
        self._scan = RepositoryScan(repository, self._table, serve_new, patience_s)
        self._loader = VersionLoader(
            repository,
            self._table,
            devices,
            options,
            patience_s=patience_s,
            limit_s=limit_s,
            clock=clock,
            observer=observer,
        )
        unloaded = (lambda: None) if observer is None else observer.version_unloaded
        self._residency = Residency(self._table, self._loader, most_loaded, unloaded)
        self._stopped = False
        self.scanned: Callable[[], None] = lambda: None
        """Called after each scan, in the thread that scans. Must be fast and must not raise."""
        self.started = False
        """Whether the first scan has ended."""

    def refresh(self, only: str | None = None, *, again: bool = False) -> list[ReloadedModel]:
        """Scans the repository, loads new and changed versions one by one, and returns the changes.

        `only` scans one model. `again` also loads versions that were refused and whose files have not changed. Ends
        early if `stop` is called. Raises UnreadableRepository, or EngineStopped; the models stay served.
        """
        before, started = self._table.now, self._clock()
        try:
            current = self._scan.find(only, again)
            for status in self._table.now.due(only):
                if self._stopped:
                    break
                if not self._residency.takes(status):
                    self._loader.describe(status)
                    continue
                self._residency.make_room(status.artifact is None)
                self._loader.load(status)
            self._loader.refuse_overdue()
            self._scan.choose(only)
        finally:
            self.started = True
            self.scanned()
            if self._observer is not None:
                self._observer.refreshed(self.problem is None, self._clock() - started)
        changes = compare(before, self._table.now, only)
        if any(change.removed or change.replaced for change in changes):
            gc.collect()  # tracing leaves reference cycles, which would keep removed detectors in memory
        if not current:
            raise UnreadableRepository(str(self.problem))
        return changes

    @property
    def problem(self) -> UnreadableRepository | None:
        """Why the last scan could not read the repository."""
        return self._scan.problem

    def sweep(self) -> None:
        """Removes what killed writers left in the repository."""
        self._scan.sweep()

    def stop(self) -> None:
        """Ends a scan, also while a version is being loaded."""
        self._stopped = True
        self._residency.stop()
        self._loader.stop()

    def finish(self, most_s: float) -> bool:
        """Waits at most so long for loads that are under way; returns whether all have ended."""
        return self._loader.finish(most_s)

    def test_device(self, number: int) -> None:
        """Computes a golden sample on the device of this number, if any model is loaded.

        Raises GoldenMismatch, or what the device raises.
        """
        for model in self.models():
            live = model.version(model.live)
            if live is not None and live.artifact is not None:
                live.artifact.test_device(number)
                return

    def test_model(self, model: TiledModel) -> None:
        """Computes the golden sample of a served model; raises GoldenMismatch, or what its device raises."""
        for served in self.models():
            for artifact in (status.artifact for status in served.versions if status.artifact is not None):
                if model in artifact.models:
                    artifact.test_model(model)

    @property
    def may_recover(self) -> bool:
        """Whether a version was refused by an error that a device may have caused, or a lack of memory."""
        errors = [status.error for status in self._table.now.statuses]
        return any(isinstance(error, GoldenMismatch) or type(error) is InvalidArtifact for error in errors)

    def count(self, state: VersionState) -> int:
        """The number of versions in this state."""
        return self._table.now.count(state)

    def models(self) -> list[ServedModel]:
        """All models by name, with all of their versions, refused ones included."""
        return self._table.now.models()

    def model(self, name: str) -> ServedModel:
        """The model of this name, or the one that `default` means; raises ModelNotFound or ModelLoading."""
        return self._table.now.model(name)

    def describe(self, name: str, version: int | None = None) -> VersionStatus:
        """A version that answers requests, whether or not its model is in memory; by default the live one.

        Raises ModelNotFound, VersionNotFound or ModelLoading.
        """
        return self._table.now.meant(name, version)

    def get(self, name: str, version: int | None = None) -> Artifact:
        """A loaded version, by default the live one; raises ModelNotFound, VersionNotFound or ModelLoading.

        Asks for a version that is not in memory; `loaded` and `wait` return it.
        """
        found = self._find(name, version)
        if isinstance(found, Artifact):
            return found
        raise _loading(name)

    def wait(self, name: str, version: int | None = None, most_s: float = LOAD_S) -> Artifact:
        """As `get`, but waits at most so long for a version that is not in memory."""
        ends_s = self._clock() + most_s
        while not isinstance(found := self._find(name, version), Artifact):
            try:
                found.result(max(0.0, ends_s - self._clock()))
            except TimeoutError as error:
                raise _loading(name) from error
        return found

    async def loaded(self, name: str, version: int | None = None, most_s: float = LOAD_S) -> Artifact:
        """As `wait`, without keeping a thread."""
        ends_s = self._clock() + most_s
        while not isinstance(found := self._find(name, version), Artifact):
            shared = asyncio.shield(asyncio.wrap_future(found))  # others wait for it too
            try:
                await asyncio.wait_for(shared, max(0.0, ends_s - self._clock()))
            except TimeoutError as error:
                raise _loading(name) from error
        return found

    def _find(self, name: str, version: int | None) -> Artifact | Future[None]:
        """A loaded version, or the end of its load."""
        status = self._table.now.meant(name, version)
        if status.artifact is None:
            return self._residency.want(status)
        self._residency.used(status.entry)
        return status.artifact

    def load_wanted(self) -> None:
        """Loads versions that requests need, until `stop`."""
        self._residency.run()

    def notes(self) -> list[str]:
        """The models that answer no request without a version, and choices of operators that cannot be read."""
        table, choices, notes = self._table.now, self._scan.choices, []
        if choices.unread_default:
            notes.append(f"the default model is not known, or may be outdated: {choices.unread_default}")
        for model in table.models():
            if reason := choices.unread(model.name):
                state = "is not known" if model.live is None else "may be outdated"
                notes.append(f"the version of model {model.name!r} that serves {state}: {reason}")
            elif model.live is None:
                try:
                    table.meant(model.name)
                except ModelLoading:
                    pass  # it will serve soon
                except VersionNotFound as error:
                    notes.append(str(error))
        return notes

    @property
    def default_name(self) -> str | None:
        """The model that `default` means."""
        return self._table.now.default_name


def _loading(name: str) -> ModelLoading:
    return ModelLoading(f"model {name!r} is being loaded, because requests need it; try again in a few seconds")
