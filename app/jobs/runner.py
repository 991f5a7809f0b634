"""Runs jobs one after another, in threads of their own."""

import json
import logging
import os
import sqlite3
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from functools import partial
from pathlib import Path
from threading import Condition, Thread
from time import monotonic, time

import torch

from app.artifacts import Artifact
from app.decoders.rows import PictureRows
from app.errors import (
    DeviceFailed,
    EngineStopped,
    InsufficientMemory,
    InsufficientStorage,
    ModelLoading,
    TesseraError,
    VersionNotFound,
)
from app.jobs.asked import question_of
from app.jobs.forms import Forms
from app.jobs.limits import JobLimits
from app.jobs.opened import open_below
from app.jobs.progress import PictureProgress
from app.jobs.watchers import Watchers
from app.jobs.work import work
from app.pipeline import Runner, use_processors
from app.service import ModelCatalogue
from app.store import Job, JobFolders, JobPicture, JobState, JobTable, Problem

MOST_STARTS = 3
"""A picture fails after so many starts, by kills or by errors that may pass, after which it did not get further."""
IDLE_S = 1.0
LOADING_S = 0.5
"""How long a job waits whose model is being loaded."""
AGAIN_S = 5.0
"""How long a job waits after an error that may pass."""
PASSING = (DeviceFailed, InsufficientMemory, torch.AcceleratorError, torch.OutOfMemoryError)
"""Errors that may pass: the job is started again."""

Bands = Callable[[Artifact, Callable[[], None]], AbstractContextManager[Runner]]
"""Gives what computes the bands of a picture; the function raises if the picture is not wanted any more."""

_log = logging.getLogger(__name__)


class _Stopped(Exception):
    """The server ends, and the job goes on when it is started again."""


class _Cancelled(Exception):
    """The job was cancelled, or removed."""


class JobRunner:
    """Takes queued jobs, the oldest first, and predicts their pictures in order.

    `bands` gives what computes the bands of a picture.
    A picture that fails does not stop the others of its job. Whatever was begun goes on after a restart.
    """

    def __init__(
        self,
        table: JobTable,
        folders: JobFolders,
        catalogue: ModelCatalogue,
        watchers: Watchers,
        forms: Forms,
        limits: JobLimits,
        opened: Path | None,
        bands: Bands,
    ) -> None:
        self._table, self._folders, self._catalogue, self._watchers = table, folders, catalogue, watchers
        self._forms, self._limits, self._opened, self._bands = forms, limits, opened, bands
        self._changed = Condition()  # guards what follows
        self._running: set[str] = set()
        self._cancelled: set[str] = set()
        self._later: dict[str, float] = {}  # when jobs that cannot run now are tried again
        self._stopping = False
        self._threads = [
            Thread(target=self._serve, name=f"tessera-job-{number}", daemon=True) for number in range(limits.running)
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self, wait_s: float) -> None:
        """Stops after the current bands; running jobs go on after a restart. Waits at most so long."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        for thread in self._threads:
            if thread.ident is not None:
                thread.join(wait_s)

    def wake(self) -> None:
        """A job was queued."""
        with self._changed:
            self._changed.notify_all()

    def give_up(self, id: str) -> bool:
        """Stops the work on a job and removes its files: now, or after its current band. Returns whether it runs."""
        with self._changed:
            if id in self._running:
                self._cancelled.add(id)
                return True
        self._folders.remove(id)
        return False

    def check(self, id: str) -> None:
        """Raises what stops the work on a job."""
        if id in self._cancelled:
            raise _Cancelled
        if self._stopping:
            raise _Stopped

    def _serve(self) -> None:
        use_processors(1)  # the lanes need the other processors
        while True:
            with self._changed:
                job = None if self._stopping else self._claimed()
                if self._stopping:
                    return
                if job is None:
                    self._changed.wait(IDLE_S)
                    continue
            try:
                self._run(job)
            except Exception:  # such as a disk that fails: the thread must live on
                _log.exception("job %s stopped", job.id)
                self._again(job)
            finally:
                with self._changed:
                    self._running.discard(job.id)
                    if job.id in self._cancelled:
                        self._cancelled.discard(job.id)
                        self._folders.remove(job.id)

    def _claimed(self) -> Job | None:
        """The next job, which counts as running."""
        with suppress(sqlite3.Error):  # a disk that fails: the next turn tries again
            for job in self._table.in_state(JobState.queued):
                if monotonic() < self._later.get(job.id, 0.0):
                    continue
                values = {"state": JobState.running, "changed_s": time(), "starts": job.starts + 1}
                if self._table.change(job.id, only=(JobState.queued,), **values):
                    self._running.add(job.id)
                    self._later.pop(job.id, None)
                    return self._table.get(job.id)
        return None

    def _run(self, job: Job) -> None:
        try:
            self._tell_state(job, JobState.running)
            artifact = self._artifact(job)
            for picture in job.pictures:
                if picture.state in (JobState.queued, JobState.running):
                    self._predict(job, picture, artifact)
            self._finish(job)
        except _Cancelled:
            return
        except (_Stopped, ModelLoading, EngineStopped):
            self._again(job, LOADING_S, counted=False)
        except PASSING as error:
            if job.id not in self._cancelled:
                _log.warning("job %s is started again: %s", job.id, error)
                self._again(job)

    def _artifact(self, job: Job) -> Artifact | TesseraError:
        """The version with which the job was made, or why it cannot be used. Raises ModelLoading."""
        if not self._catalogue.started:
            raise ModelLoading("the models are being loaded")
        try:
            artifact = self._catalogue.get(job.model, job.version)
        except ModelLoading:
            raise
        except TesseraError as error:
            return error
        if artifact.digest != job.digest:
            return VersionNotFound(
                f"version {job.version} of model {job.model!r} was replaced after the job was made; make the job again"
            )
        return artifact

    def _predict(self, job: Job, picture: JobPicture, artifact: Artifact | TesseraError) -> None:
        """Predicts one picture, or records why it failed. Raises what stops the job, and errors that may pass."""
        self.check(job.id)
        number, begun = picture.number, picture.state is JobState.running
        try:
            if isinstance(artifact, TesseraError):
                raise artifact
            if begun and job.starts > MOST_STARTS:
                self._fail(job, picture, *_given_up(job))
                return
            self._table.change_picture(job.id, number, state=JobState.running)
            self._tell_picture(job, number, JobState.running)
            self._work(job, picture, artifact)
        except (_Stopped, _Cancelled, EngineStopped):
            raise
        except PASSING:
            if job.starts < MOST_STARTS:
                raise
            self._fail(job, picture, *_given_up(job))
        except TesseraError as error:
            self._fail(job, picture, error.code, str(error))
        except OSError as error:
            self.check(job.id)  # a cancelled job may have lost its files
            self._fail(job, picture, InsufficientStorage.code, f"the files of the picture failed: {error}")
        except Exception:
            _log.exception("picture %d of job %s failed", number, job.id)
            self._fail(job, picture, "internal_error", "internal server error; the server's log has the details")
        else:
            with self._table.transaction():
                self._table.change_picture(job.id, number, state=JobState.done)
                self._tell_picture(job, number, JobState.done)
            self._watchers.notify(job.id)

    def _work(self, job: Job, picture: JobPicture, artifact: Artifact) -> None:
        files = self._folders.of(job.id, picture.number)
        self._folders.clear(files.temporary)
        files.temporary.mkdir()
        descriptor = self._opened_file(job, picture)
        try:
            rows = PictureRows(descriptor, picture.name, files.temporary)
        finally:
            os.close(descriptor)
        check = partial(self.check, job.id)
        with rows, self._bands(artifact, check) as runner:
            report = PictureProgress(self._table, self._watchers, self._forms.regions, check, job, picture)
            work(artifact, rows, question_of(job.question), files, self._forms.result, report, report.found, runner)
        files.upload.unlink(missing_ok=True)
        for folder in (files.work, files.temporary):
            self._folders.clear(folder)

    def _opened_file(self, job: Job, picture: JobPicture) -> int:
        if picture.path is None:
            return os.open(self._folders.of(job.id, picture.number).upload, os.O_RDONLY)
        return open_below(self._opened or Path("/nonexistent"), picture.path)

    def _finish(self, job: Job) -> None:
        now, whole = time(), self._table.get(job.id)
        if whole is None:
            raise _Cancelled
        state = JobState.failed if any(each.state is JobState.failed for each in whole.pictures) else JobState.done
        used = self._folders.used_bytes(job.id)
        values = {"changed_s": now, "expires_s": now + self._limits.expiry_s, "reserved_bytes": used, "starts": 0}
        with self._table.transaction():  # who follows the job must not see its end before the event of it
            ended = self._table.change(job.id, only=(JobState.running,), state=state, **values)
            if ended:
                self._table.tell(job.id, "state", json.dumps({"state": state}))
        if ended:
            self._watchers.notify(job.id)
            _log.info("job %s is %s", job.id, state)

    def _fail(self, job: Job, picture: JobPicture, code: str, message: str) -> None:
        problem = Problem(code, message)
        with self._table.transaction():
            self._table.change_picture(job.id, picture.number, state=JobState.failed, code=code, message=message)
            self._table.change(job.id, starts=1)
            self._tell_picture(job, picture.number, JobState.failed, problem)
        self._watchers.notify(job.id)

    def _again(self, job: Job, wait_s: float = AGAIN_S, *, counted: bool = True) -> None:
        with self._changed:
            self._later[job.id] = monotonic() + wait_s
        with suppress(sqlite3.Error):
            starts = {} if counted else {"starts": max(job.starts - 1, 0)}
            if self._table.change(job.id, only=(JobState.running,), state=JobState.queued, **starts):
                self._tell_state(job, JobState.queued)

    def _tell_state(self, job: Job, state: JobState) -> None:
        self._table.tell(job.id, "state", json.dumps({"state": state}))
        self._watchers.notify(job.id)

    def _tell_picture(self, job: Job, number: int, state: JobState, problem: Problem | None = None) -> None:
        error = {"error": {"code": problem.code, "message": problem.message}} if problem else {}
        self._table.tell(job.id, "picture", json.dumps({"picture": number, "state": state} | error), number)


def _given_up(job: Job) -> tuple[str, str]:
    return (
        "internal_error",
        f"the picture was begun {job.starts} times, and each time the server or a device failed; its log may say why",
    )
