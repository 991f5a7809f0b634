"""The runs of one kind: requested, followed, cancelled and removed, of which one runs at a time."""

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from functools import partial
from pathlib import Path
from threading import RLock, Thread
from time import time
from typing import Any, ClassVar, Generic, NamedTuple, TypeVar

from app.artifacts import Entry, ModelRepository
from app.errors import InsufficientStorage, TesseraError, TrainingBusy, TrainingInterrupted
from app.jobs.watchers import Watchers
from app.service import ReloadedModel
from app.trainings.records import MOST_RECORDS, RecordFolder
from app.trainings.run import CANCELLED, FAILED, Run
from app.trainings.trainer_process import AnyOrder, TrainerProcess, TrainingFailed

RETRY_S = 30.0
RELOAD_S = 120.0
"""How long the server may take to load a new version before a run ends without knowing that it is loaded."""
STOP_S = 2.0

R = TypeVar("R", bound=Run)
Reload = Callable[[str], Future[list[ReloadedModel]]]

_log = logging.getLogger(__name__)


class Loaded(NamedTuple):
    """What the server does with a new version.

    problem: the fields of the run if the server refuses the version; else empty
    known: False if the server could not say, and loads the version with its next scan
    """

    problem: dict[str, Any]
    known: bool = True


class Runs(ABC, Generic[R]):
    """The runs of one kind. Any thread may call any method; most block on the disk.

    A run has a process, which writes a version into a repository of its own. The server takes it from
    there in one step.

    kind, participle: what a run is called, and what happens to the model meanwhile
    module, advice: the module of the process, and what would work if the process takes too much
    interrupted: what happened to a run if the server ended, and what to do
    not_found: the error that an unknown id raises
    """

    kind: ClassVar[str]
    participle: ClassVar[str]
    module: ClassVar[str]
    advice: ClassVar[str]
    interrupted: ClassVar[str]
    not_found: ClassVar[type[TesseraError]]

    def __init__(
        self, records: RecordFolder[R], repository: ModelRepository, reload: Reload, clock: Callable[[], float] = time
    ) -> None:
        """Raises OSError. `reload` has the server load the versions of a model."""
        self._folder, self._repository, self._reload, self._clock = records, repository, reload, clock
        self.watchers = Watchers()
        self._lock = RLock()
        self._running: R | None = None
        self._process: TrainerProcess | None = None
        self._thread: Thread | None = None
        self._publishes = False
        self._runs = {each.id: each for each in records.records()}
        for each in list(self._runs.values()):
            if not each.ended:
                self._change(each, **_failed(TrainingInterrupted(self.interrupted)))

    def get(self, id: str) -> R:
        """Raises the error `not_found`."""
        found = self._runs.get(id)
        if found is None:
            raise self.not_found(f"there is no {self.kind} {id[:40]!r}; its record may have been removed")
        return found

    def newest(self, most: int, model: str | None = None) -> list[R]:
        """The newest runs (of a model), the newest first."""
        known = list(self._runs.values())  # in one step, because other threads add runs and remove them
        found = [each for each in known if model in (None, each.model)]
        return sorted(found, key=lambda each: each.created_s, reverse=True)[:most]

    def delete(self, id: str) -> R | None:
        """Cancels a run that has not ended, and returns it; removes the record of one that has, and returns None.

        A run whose version is being written is not cancelled any more, and a record that is still needed is not
        removed; both are returned as they are. Raises the error `not_found`.
        """
        with self._lock:
            run = self.get(id)
            if self._is_needed(run) or (not run.ended and self._publishes):
                return run
            if run.ended:
                self._forget(run)
                return None
            cancelled = self._change(run, state=type(run.state)(CANCELLED))
            if self._process is not None:
                self._process.kill(f"the {self.kind} was cancelled")
            return cancelled

    def stop(self) -> None:
        """Ends the process that runs. The record says so, and no version is written."""
        process, thread = self._process, self._thread
        if process is not None:
            process.kill(self.interrupted)
        if thread is not None:
            thread.join(STOP_S)
        self.watchers.close()

    def _require_free(self) -> None:
        """Raises TrainingBusy if one runs."""
        if self._running is not None:
            raise TrainingBusy(
                f"the model {self._running.model!r} is being {self.participle}, and one {self.kind} runs at a time; "
                "try again when it has ended",
                RETRY_S,
            )

    def _begin(self, run: R, prepare: Callable[[Path], None], order: Callable[[str], AnyOrder]) -> R:
        """Records a run, and starts its process.

        prepare: writes what the process needs into the folder of the run; its OSError raises InsufficientStorage
        order: what the process is asked to do, by the folder of the run
        Raises TrainingBusy or InsufficientStorage.
        """
        with self._lock:
            self._require_free()
            self._running = run
        work = self._folder.work(run.id)
        try:
            work.mkdir()
            prepare(work)
            self._folder.write(run)
        except BaseException as error:
            self._folder.clear(run.id)
            self._running = None
            if not isinstance(error, OSError):
                raise
            raise InsufficientStorage(
                f"the files of the {self.kind} cannot be stored: {error.strerror}; make room in the server's folder "
                "for trainings (trainings_dir)"
            ) from error
        with self._lock:
            self._runs[run.id] = run
            self._process = TrainerProcess(self.module, order(str(work)), self.advice)
            self._thread = Thread(target=self._run, args=[run, self._process], name=f"tessera-{self.kind}", daemon=True)
            self._thread.start()
        self._forget_old()
        return run

    def _run(self, run: R, process: TrainerProcess) -> None:
        try:
            result = process.run(partial(self._progress, run.id))
            with self._lock:
                current = self._runs.get(run.id)
                self._publishes = current is not None and not current.ended
            if current is not None and self._publishes:
                self._publish(current, result)
        except (TesseraError, TrainingFailed) as error:
            self._fail(run.id, error)
        except Exception:
            _log.exception("the %s %s failed", self.kind, run.id)
            self._fail(run.id, TrainingFailed("internal_error", "the server's log has the details under this id"))
        finally:
            self._running = self._process = None
            self._publishes = False
            self._folder.clear(run.id)

    @abstractmethod
    def _publish(self, run: R, result: dict[str, Any]) -> None:
        """Takes the version that the process has made into the repository, and changes the run.

        result: the last message of the process
        """

    def _is_needed(self, run: R) -> bool:
        """Whether the record of a run that has ended must not be removed."""
        return False

    def _made(self, run: R, adopt: Callable[[Entry], Entry]) -> Entry:
        """The version that the process has made, once `adopt` has taken it into the repository.

        Raises InsufficientStorage.
        """
        made = ModelRepository(self._folder.work(run.id) / "models").versions(run.model)[-1]
        try:
            return adopt(made)
        except OSError as error:
            raise InsufficientStorage(f"the model cannot be written to models_dir: {error.strerror}") from error

    def _loaded(self, entry: Entry) -> Loaded:
        """Has the server load a new version."""
        try:
            reloaded = self._reload(entry.name).result(RELOAD_S)
        except (TesseraError, TimeoutError) as error:
            _log.warning("version %d of %s is not loaded yet: %s", entry.version, entry.name, error)
            return Loaded({}, known=False)
        refused = next((error for each in reloaded for number, error in each.failed if number == entry.version), None)
        if refused is None:
            return Loaded({})
        message = f"the model is written, and the server refuses it: {refused}"
        return Loaded(_failed(TrainingFailed(refused.code, message)))

    def _progress(self, id: str, stage: str, done: int, total: int) -> None:
        with self._lock:
            run = self._runs.get(id)
            if run is not None and not run.ended:
                self._runs[id] = replace(run, stage=stage, done=done, total=total)
        self.watchers.notify(id)

    def _fail(self, id: str, error: TesseraError | TrainingFailed) -> None:
        with self._lock:
            run = self._runs.get(id)
            if run is not None and not run.ended:
                self._change(run, **_failed(error))

    def _change(self, run: R, **values: Any) -> R:
        """Changes the fields of a run, of which `state` may be given as text.

        A record that cannot be written is logged. A later start finds that the run has ended, and the repository
        records what serves.
        """
        values["state"] = type(run.state)(values["state"])
        changed = replace(run, changed_s=self._clock(), **values)
        with self._lock:
            self._runs[run.id] = changed
            try:
                self._folder.write(changed)
            except OSError as error:
                _log.warning("the record of the %s %s cannot be written: %s", self.kind, run.id, error)
        self.watchers.notify(run.id)
        return changed

    def _forget_old(self) -> None:
        with self._lock:
            for old in self.newest(len(self._runs))[MOST_RECORDS:]:
                if not self._is_needed(old):
                    self._forget(old)

    def _forget(self, run: R) -> None:
        """Removes a run. If its file cannot be removed, the run is listed again after a restart."""
        del self._runs[run.id]
        try:
            self._folder.remove(run.id)
        except OSError as error:
            _log.warning("the record of the %s %s cannot be removed: %s", self.kind, run.id, error)


def _failed(error: TesseraError | TrainingFailed) -> dict[str, Any]:
    return {"state": FAILED, "code": error.code, "message": str(error)}
