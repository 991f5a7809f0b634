"""The models that are served."""

import gc
import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from time import monotonic
from typing import Protocol, TypeVar

import torch

from app.artifacts import Artifact, Entry, ModelRepository, load_artifact, verify_artifact
from app.errors import InvalidArtifact, TesseraError, UnreadableRepository
from app.runtime import RunOptions
from app.service.reloaded import ReloadedModel, compare
from app.service.version_table import ServedModel, VersionState, VersionStatus, VersionTable

_log = logging.getLogger(__name__)


class CatalogueObserver(Protocol):
    """Receives the results of scans, in the thread that scans."""

    def version_tried(self, error: TesseraError | None, seconds: float) -> None:
        """A version was loaded, or refused with an error."""

    def refreshed(self, readable: bool, seconds: float) -> None:
        """A scan has ended, with all of its loads."""


class ModelCatalogue:
    """The models of a repository, as of the last scan.

    A version that cannot be loaded is refused with its reason; the others are served. Versions are swapped atomically.
    A request keeps the artifact that it started with, whose memory is freed after the last such request. One thread
    scans, at the start and on changes; any thread may read at any time. Each device has its own copy of a model, which
    reproduced the golden sample.
    """

    def __init__(
        self,
        repository: ModelRepository,
        devices: Sequence[torch.device],
        default_model: str | None = None,
        options: RunOptions = RunOptions(),  # noqa: B008
        *,
        clock: Callable[[], float] = monotonic,
        observer: CatalogueObserver | None = None,
    ) -> None:
        self._repository, self._devices, self._options = repository, devices, options
        self._clock, self._observer = clock, observer
        self._table = VersionTable(default_model)  # replaced as a whole, so that readers need no lock
        self._stopped = False
        self.started = False
        """Whether the first scan has ended."""
        self.problem: UnreadableRepository | None = None
        """Why the last scan could not read the repository."""

    def refresh(self, only: str | None = None, *, again: bool = False) -> list[ReloadedModel]:
        """Scans the repository, loads new and changed versions one by one, and returns the changes.

        `only` scans one model. `again` also loads versions that were refused and whose files have not changed. Ends
        early if `stop` is called, after the current version. Raises UnreadableRepository; the models stay served.
        """
        before, started = self._table, self._clock()
        try:
            self._find(only, again)
            for status in self._table.due(only):
                if not self._stopped:
                    self._try(status)
        finally:
            self.started = True
            if self._observer is not None:
                self._observer.refreshed(self.problem is None, self._clock() - started)
        changes = compare(before, self._table, only)
        if any(change.removed or change.replaced for change in changes):
            gc.collect()  # tracing leaves reference cycles, which would keep removed detectors in memory
        return changes

    def stop(self) -> None:
        """Ends a scan after the version that it is loading."""
        self._stopped = True

    def _find(self, only: str | None, again: bool) -> None:
        try:
            found = self._repository.scan()
        except UnreadableRepository as error:
            if str(error) != str(self.problem):  # one line per problem, not per scan
                _log.error("%s; loaded models stay served", error)
            self.problem = _bare(error)
            raise
        if self.problem is not None:
            _log.info("the model repository can be read again")
            self.problem = None
        before, self._table = self._table, self._table.found(found, only=only, again=again)
        for status in before.statuses:
            if status.entry not in {kept.entry for kept in self._table.statuses}:
                _log.info("model %s version %d was removed", status.entry.name, status.entry.version)
        default = self._table.default_model
        if default is not None and default not in self._table.names and (default in before.names or not before.known):
            _log.warning("the default model %r is not in the repository", default)

    def _try(self, status: VersionStatus) -> None:
        started, error = self._clock(), None
        try:
            artifact = self._load(status)
        except TesseraError as refusal:
            error = refusal
        except Exception as failure:  # one damaged model must not stop the others
            _log.debug("loading %s failed", status.entry.path, exc_info=True)
            error = InvalidArtifact(f"it cannot be loaded ({type(failure).__name__}: {failure})")
        if error is None:
            self._table = self._table.loaded(status, artifact)
            _log_ready(artifact, unchanged=artifact is status.artifact)
        else:
            self._table = self._table.refused(status, _bare(error))
            _log_refused(status, error)
        if self._observer is not None:
            self._observer.version_tried(error, self._clock() - started)

    def _load(self, status: VersionStatus) -> Artifact:
        entry, before = status.entry, status.artifact
        if before is not None and verify_artifact(entry)[1] == before.digest:
            return before  # its files were touched or restored: the content is the same
        return self._loaded(entry)

    def _loaded(self, entry: Entry) -> Artifact:
        first, *others = (load_artifact(entry, device, self._options) for device in self._devices)
        return replace(first, replicas=tuple(other.model for other in others))

    def test_device(self, number: int) -> None:
        """Computes a golden sample on the device of this number, if any model is loaded.

        Raises GoldenMismatch, or what the device raises.
        """
        for model in self.models():
            if model.newest is not None:
                model.newest.test_device(number)
                return

    def count(self, state: VersionState) -> int:
        """The number of versions in this state."""
        return self._table.count(state)

    def models(self) -> list[ServedModel]:
        """All models by name, with all of their versions, refused ones included."""
        return self._table.models()

    def model(self, name: str) -> ServedModel:
        """The model of this name, or the one that `default` means; raises ModelNotFound or ModelLoading."""
        return self._table.model(name)

    def get(self, name: str, version: int | None = None) -> Artifact:
        """A loaded version, by default the newest; raises ModelNotFound, VersionNotFound or ModelLoading."""
        return self._table.get(name, version)

    @property
    def default_name(self) -> str | None:
        """The model that `default` means."""
        return self._table.default_name


E = TypeVar("E", bound=TesseraError)


def _bare(error: E) -> E:
    """The error without its traceback, whose frames would keep the tensors of a failed load in memory."""
    error.__cause__ = error.__context__ = None
    return error.with_traceback(None)


def _log_refused(status: VersionStatus, error: TesseraError) -> None:
    entry, kept = status.entry, "; the version loaded before stays served" if status.artifact else ""
    _log.error("model %s version %d is refused (%s): %s%s", entry.name, entry.version, error.code, error, kept)


def _log_ready(artifact: Artifact, unchanged: bool) -> None:
    if unchanged:
        _log.info("model %s version %d has the same content as before", artifact.name, artifact.version)
        return
    model = artifact.model
    _log.info(
        "model %s version %d is ready: %s by %s kernels on %s, %d tiles at once",
        artifact.name,
        artifact.version,
        model.network.precision,
        model.network.kernels,
        ", ".join(str(each.device) for each in artifact.models),
        model.batch_tiles,
    )
