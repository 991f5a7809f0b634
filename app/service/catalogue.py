"""The models that are served."""

import gc
import logging
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from threading import Lock
from time import monotonic
from typing import Protocol, TypeVar

import torch

from app.artifacts import (
    Artifact,
    Entry,
    Fingerprint,
    ModelRepository,
    build_artifact,
    read_artifact,
    usable_certificate,
    verify_artifact,
)
from app.errors import (
    EngineStopped,
    GoldenMismatch,
    InvalidArtifact,
    LoadTimeout,
    ModelLoading,
    TesseraError,
    UnreadableRepository,
    VersionNotFound,
)
from app.pipeline import TiledModel, use_processors
from app.runtime import RunOptions
from app.service.choices import Choices, Pinned, ServeNew
from app.service.patience import STOPPED, Calls, StillRunning
from app.service.reloaded import ReloadedModel, compare
from app.service.version_table import NO_MODEL, Pin, ServedModel, VersionState, VersionStatus, VersionTable

PATIENCE_S = 15.0
"""After this time, a version that is being loaded no longer delays the next ones, nor the readiness of the server."""

LIMIT_S = 300.0
"""After this time, a version that is being loaded counts as failed. It is served if its load ends nevertheless."""

_log = logging.getLogger(__name__)


class CatalogueObserver(Protocol):
    """Receives the results of scans and loads, in the threads that scan and load."""

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

    Versions are loaded in turn, because their speed is measured. One that takes longer than `patience_s`, for example
    on a file system that hangs, is loaded beside the next ones.
    """

    def __init__(
        self,
        repository: ModelRepository,
        devices: Sequence[torch.device],
        default_model: str | None = None,
        options: RunOptions = RunOptions(),  # noqa: B008
        *,
        serve_new: ServeNew = "newest",
        patience_s: float = PATIENCE_S,
        limit_s: float = LIMIT_S,
        clock: Callable[[], float] = monotonic,
        observer: CatalogueObserver | None = None,
    ) -> None:
        self._repository, self._devices, self._options = repository, devices, options
        self._clock, self._observer, self._serve_new = clock, observer, serve_new
        self._table = VersionTable(default_model)  # replaced as a whole, so that readers need no lock
        self._change = Lock()  # held while the table is replaced
        self._patience_s, self._limit_s = patience_s, limit_s
        self._scans, self._loads = Calls(patience_s), Calls(patience_s)
        self._choices = Choices(repository, self._scans)
        self._computing = Lock()  # held while a model is built and measured
        self._loading: dict[Entry, float] = {}  # when the loads that are under way began
        self._unreadable: dict[str, str] = {}  # why models could not be scanned
        self._stopped = False
        self.scanned: Callable[[], None] = lambda: None
        """Called after each scan, in the thread that scans. Must be fast and must not raise."""
        self.started = False
        """Whether the first scan has ended."""
        self.problem: UnreadableRepository | None = None
        """Why the last scan could not read the repository."""

    def refresh(self, only: str | None = None, *, again: bool = False) -> list[ReloadedModel]:
        """Scans the repository, loads new and changed versions one by one, and returns the changes.

        `only` scans one model. `again` also loads versions that were refused and whose files have not changed. Ends
        early if `stop` is called. Raises UnreadableRepository, or EngineStopped; the models stay served.
        """
        before, started = self._table, self._clock()
        try:
            current = self._find(only, again)
            for status in self._table.due(only):
                if not self._stopped:
                    self._try(status)
            self._refuse_overdue()
            self._choose(only)
        finally:
            self.started = True
            self.scanned()
            if self._observer is not None:
                self._observer.refreshed(self.problem is None, self._clock() - started)
        changes = compare(before, self._table, only)
        if any(change.removed or change.replaced for change in changes):
            gc.collect()  # tracing leaves reference cycles, which would keep removed detectors in memory
        if not current:
            raise UnreadableRepository(str(self.problem))
        return changes

    def sweep(self) -> None:
        """Removes what killed writers left in the repository."""
        try:
            removed = self._scans.run("sweep", self._repository.sweep)
        except (StillRunning, OSError):
            return  # the scan reports what is wrong with the repository
        for path in removed:
            _log.info("removed %s, which a killed process left", path)

    def stop(self) -> None:
        """Ends a scan, also while a version is being loaded."""
        self._stopped = True
        self._loads.stop()

    def finish(self, most_s: float) -> bool:
        """Waits at most so long for loads that are under way; returns whether all have ended."""
        return self._loads.finish(most_s)

    def _find(self, only: str | None, again: bool) -> bool:
        """Scans the repository; returns False if it is a mirror that could not be updated."""
        outdated = self._update()
        try:
            found, pinned = self._scan(only)
            default = self._scans.run("default", self._choices.default)
        except StillRunning as error:
            raise UnreadableRepository("the model repository does not answer; its file system may hang") from error
        except UnreadableRepository as error:
            self._report(error)
            raise
        self._report(outdated)
        with self._change:
            before = self._table
            table = replace(before, recorded_default=default).chosen(pinned)
            self._table = table.found(found, only=only, again=again)
        for name, pin in self._table.pins.items():
            if pin.version != before.pins.get(name, Pin()).version:
                which = "the newest version that is ready" if pin.version is None else f"version {pin.version}"
                _log.info("model %s: %s is chosen to serve", name, which)
        for status in before.statuses:
            if status.entry not in {kept.entry for kept in self._table.statuses}:
                _log.info("model %s version %d was removed", status.entry.name, status.entry.version)
        if outdated is None and not self._table.names and (before.names or not before.known):
            _log.warning("%s (%s)", NO_MODEL, self._repository.place)
        default = self._table.default_model
        if default is not None and default not in self._table.names and (default in before.names or not before.known):
            _log.warning("the default model %r is not in the repository", default)
        return outdated is None

    def _update(self) -> UnreadableRepository | None:
        """Brings a mirror up to date; returns why it cannot be. What it has is served nevertheless."""
        try:
            self._scans.run("update", self._repository.update)
        except StillRunning:
            return UnreadableRepository(f"the model repository {self._repository.place} does not answer")
        except UnreadableRepository as error:
            return error
        return None

    def _report(self, problem: UnreadableRepository | None) -> None:
        """Logs a change of the repository's problem: one line per problem, not per scan."""
        if problem is not None and str(problem) != str(self.problem):
            stays = self._table.count(VersionState.ready)
            _log.error("%s; %s", problem, "loaded models stay served" if stays else "no model is loaded yet")
        if problem is None and self.problem is not None:
            _log.info("the model repository can be read again")
        self.problem = None if problem is None else _bare(problem)

    def _scan(self, only: str | None) -> tuple[dict[Entry, Fingerprint], dict[str, Pinned]]:
        """The versions of all models, or of the model `only`, with fingerprints, and the pinned version of each model.

        Raises UnreadableRepository. The versions of a model whose directory cannot be read, or hangs, stay as they are.
        """
        try:
            names = self._scans.run("names", self._repository.names)
        except StillRunning as error:
            raise UnreadableRepository(
                f"the model repository {self._repository.place} does not answer; its file system may hang"
            ) from error
        found: dict[Entry, Fingerprint] = {}
        pinned: dict[str, Pinned] = {}
        for name in names if only is None else [name for name in names if name == only]:
            try:
                versions, pinned[name] = self._scans.run(("scan", name), partial(self._scan_model, name))
                found |= versions
                self._unreadable.pop(name, None)
            except (StillRunning, OSError) as error:
                reason = (error.strerror or str(error)) if isinstance(error, OSError) else "its file system hangs"
                if self._unreadable.get(name) != reason:
                    _log.error("the directory of model %s cannot be read (%s); it stays as it was", name, reason)
                self._unreadable[name] = reason
                found |= {status.entry: status.seen for status in self._table.statuses if status.entry.name == name}
        return found, pinned

    def _scan_model(self, name: str) -> tuple[dict[Entry, Fingerprint], Pinned]:
        pinned = self._choices.pinned(name)
        return self._repository.scan(name), pinned

    def _choose(self, only: str | None) -> None:
        """Pins the newest version of models without a pin, and keeps the default model."""
        for model in self._table.models() if self._serve_new == "pinned" else ():
            newest = next((status for status in reversed(model.versions) if not status.error or status.artifact), None)
            free = model.pin.version is None and not model.pin.problem and only in (None, model.name)
            if free and newest and newest.artifact:
                with self._change:
                    self._table = self._table.chosen({model.name: newest.entry.version})
                self._choices.pin(model.name, newest.entry.version)
        self._choices.keep_default(self._table)

    def _try(self, status: VersionStatus) -> None:
        if status.entry in self._loading:  # since an earlier scan
            return
        started, processors = self._clock(), torch.get_num_threads()
        self._loading[status.entry] = started

        def load() -> Artifact:
            use_processors(processors)
            return self._load(status)

        def finished(future: Future[Artifact]) -> None:
            self._loading.pop(status.entry, None)
            error = future.exception()
            if error is None:
                self._settle(status, future.result(), started)
            elif not self._stopped:
                self._refuse(status, error, started)

        try:
            artifact = self._loads.run(status.entry, load, finished)
        except StillRunning as error:
            if not error.first:  # too many calls hang
                self._loading.pop(status.entry, None)
            else:
                _log.warning(
                    "model %s version %d is not loaded after %g s; other versions are loaded meanwhile",
                    status.entry.name,
                    status.entry.version,
                    self._patience_s,
                )
        except Exception as error:  # one damaged model must not stop the others
            self._loading.pop(status.entry, None)
            if self._stopped:
                raise
            self._refuse(status, error, started)
        else:
            self._loading.pop(status.entry, None)
            self._settle(status, artifact, started)

    def _settle(self, status: VersionStatus, artifact: Artifact, started: float) -> None:
        with self._change:
            self._table = self._table.loaded(status, artifact)
        _log_ready(artifact, unchanged=artifact is status.artifact)
        if self._observer is not None:
            self._observer.version_tried(None, self._clock() - started)

    def _refuse(self, status: VersionStatus, failure: BaseException, started: float) -> None:
        error = failure
        if not isinstance(error, TesseraError):
            _log.debug("loading %s failed", status.entry.path, exc_info=failure)
            error = InvalidArtifact(f"it cannot be loaded ({type(failure).__name__}: {failure})")
            _bare(failure)
        with self._change:
            self._table = self._table.refused(status, _bare(error))
        _log_refused(status, error)
        if self._observer is not None:
            self._observer.version_tried(error, self._clock() - started)

    def _refuse_overdue(self) -> None:
        """Refuses versions that are being loaded for longer than the limit."""
        for status in self._table.statuses:
            started = self._loading.get(status.entry)
            if started is not None and status.due and self._clock() - started > self._limit_s:
                reason = f"it is not loaded after {self._limit_s:g} s; it is served if its files can be read later"
                self._refuse(status, LoadTimeout(reason), started)

    def _load(self, status: VersionStatus) -> Artifact:
        entry, before = status.entry, status.artifact
        if before is not None:
            with self._repository.held(entry):
                if verify_artifact(entry)[1] == before.digest:
                    found = usable_certificate(entry.path, before.digest)
                    if found == before.certificate:
                        return before  # its files were touched or restored: the content is the same
                    return replace(before, certificate=found)
        first, *others = (self._loaded(entry, device) for device in self._devices)
        return replace(first, replicas=tuple(other.model for other in others))

    def _loaded(self, entry: Entry, device: torch.device) -> Artifact:
        with self._repository.held(entry):
            files = read_artifact(entry)
        with self._alone():
            return build_artifact(files, device, self._options)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Waits until no other model is being built, because that takes memory, and the speeds are measured."""
        alone = self._computing.acquire(timeout=self._patience_s)  # one that hangs must not stop the others
        try:
            if self._stopped:
                raise EngineStopped(STOPPED)
            yield
        finally:
            if alone:
                self._computing.release()

    def test_device(self, number: int) -> None:
        """Computes a golden sample on the device of this number, if any model is loaded.

        Raises GoldenMismatch, or what the device raises.
        """
        for model in self.models():
            if model.live is not None:
                model.live.test_device(number)
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
        errors = [status.error for status in self._table.statuses]
        return any(isinstance(error, GoldenMismatch) or type(error) is InvalidArtifact for error in errors)

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
        """A loaded version, by default the live one; raises ModelNotFound, VersionNotFound or ModelLoading."""
        return self._table.get(name, version)

    def notes(self) -> list[str]:
        """The models that answer no request without a version, and choices of operators that cannot be read."""
        table, notes = self._table, []
        if self._choices.unread_default:
            notes.append(f"the default model is not known, or may be outdated: {self._choices.unread_default}")
        for model in table.models():
            if reason := self._choices.unread(model.name):
                state = "is not known" if model.live is None else "may be outdated"
                notes.append(f"the version of model {model.name!r} that serves {state}: {reason}")
            elif model.live is None:
                try:
                    table.get(model.name)
                except ModelLoading:
                    pass  # it will serve soon
                except VersionNotFound as error:
                    notes.append(str(error))
        return notes

    @property
    def default_name(self) -> str | None:
        """The model that `default` means."""
        return self._table.default_name


E = TypeVar("E", bound=BaseException)


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
