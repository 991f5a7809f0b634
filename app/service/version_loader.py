"""Loads versions of models, and refuses those that cannot be loaded."""

import logging
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from threading import Lock
from typing import Protocol

import torch

from app.artifacts import (
    Artifact,
    Description,
    Entry,
    ModelRepository,
    build_artifact,
    describe_artifact,
    read_artifact,
    usable_certificate,
    verify_artifact,
)
from app.errors import EngineStopped, InvalidArtifact, LoadTimeout, TesseraError
from app.pipeline import use_processors
from app.runtime import RunOptions
from app.service.bare import bare
from app.service.current_table import CurrentTable
from app.service.patience import STOPPED, Calls, StillRunning
from app.service.version_table import VersionStatus

_log = logging.getLogger(__name__)


class LoadObserver(Protocol):
    """Receives the results of loads, in the threads that load."""

    def version_tried(self, error: TesseraError | None, seconds: float) -> None:
        """A version was loaded, or refused with an error."""


class VersionLoader:
    """Loads versions onto the devices, and puts the results into the table.

    Versions are loaded in turn, because their speed is measured. One that takes longer than `patience_s`, for example
    on a file system that hangs, is loaded beside the next ones.
    """

    def __init__(
        self,
        repository: ModelRepository,
        table: CurrentTable,
        devices: Sequence[torch.device],
        options: RunOptions,
        *,
        patience_s: float,
        limit_s: float,
        clock: Callable[[], float],
        observer: LoadObserver | None,
    ) -> None:
        self._repository, self._table, self._devices, self._options = repository, table, devices, options
        self._patience_s, self._limit_s, self._clock, self._observer = patience_s, limit_s, clock, observer
        self._calls = Calls(patience_s)
        self._beginning = Lock()  # held while it is decided which thread loads a version
        self._computing = Lock()  # held while a model is built and measured
        self._loading: dict[Entry, float] = {}  # when the loads that are under way began
        self._stopped = False
        self.settled: Callable[[Entry], None] = lambda _: None
        """Called after a version was loaded or refused, in the thread that loads. Must be fast and must not raise."""

    def stop(self) -> None:
        """Ends a load that is waited for."""
        self._stopped = True
        self._calls.stop()

    def finish(self, most_s: float) -> bool:
        """Waits at most so long for loads that are under way; returns whether all have ended."""
        return self._calls.finish(most_s)

    def load(self, status: VersionStatus) -> bool:
        """Loads a version, or refuses it; raises EngineStopped after `stop`.

        Returns after `patience_s` at the latest. False: its load could not begin, because too many others hang.
        """
        started, processors = self._clock(), torch.get_num_threads()
        with self._beginning:
            if status.entry in self._loading:  # for a request, or since an earlier scan
                return True
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
            artifact = self._calls.run(status.entry, load, finished)
        except StillRunning as error:
            if not error.first:  # too many calls hang
                self._loading.pop(status.entry, None)
                return False
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
        return True

    def describe(self, status: VersionStatus) -> None:
        """Reads the manifest of a version, whose model is loaded when a request needs it; or refuses the version.

        A version whose file system hangs is tried again by the next scan. Raises EngineStopped after `stop`.
        """
        try:
            description = self._calls.run(("describe", status.entry), partial(self._described, status.entry))
        except StillRunning:
            _log.warning("model %s version %d cannot be read now", status.entry.name, status.entry.version)
        except TesseraError as error:
            if self._stopped:
                raise
            self._refuse(status, error, self._clock())
        else:
            self._table.change(lambda table: table.described(status, description))

    def _described(self, entry: Entry) -> Description:
        with self._repository.described(entry) as found:
            return describe_artifact(found)

    def _settle(self, status: VersionStatus, artifact: Artifact, started: float) -> None:
        self._table.change(lambda table: table.loaded(status, artifact))
        _log_ready(artifact, unchanged=artifact is status.artifact)
        self.settled(status.entry)
        if self._observer is not None:
            self._observer.version_tried(None, self._clock() - started)

    def _refuse(self, status: VersionStatus, failure: BaseException, started: float) -> None:
        error = failure
        if not isinstance(error, TesseraError):
            _log.debug("loading %s failed", status.entry.path, exc_info=failure)
            error = InvalidArtifact(f"it cannot be loaded ({type(failure).__name__}: {failure})")
            bare(failure)
        refused = bare(error)
        self._table.change(lambda table: table.refused(status, refused))
        self.settled(status.entry)
        _log_refused(status, error)
        if self._observer is not None:
            self._observer.version_tried(error, self._clock() - started)

    def refuse_overdue(self) -> None:
        """Refuses versions that are being loaded for longer than the limit."""
        for status in self._table.now.statuses:
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
