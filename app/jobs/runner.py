"""Runs jobs one after another, in threads of their own."""

import json
import logging
from contextlib import suppress
from threading import Thread
from time import time

from app.artifacts import Artifact
from app.errors import (
    EngineStopped,
    JobsDatabaseUnavailable,
    ModelLoading,
    NotServed,
    TesseraError,
    VersionNotFound,
)
from app.jobs.leases import Leases, Lost, Stopped
from app.jobs.limits import JobLimits
from app.jobs.picture_runner import PASSING, PictureRunner
from app.jobs.watchers import Watchers
from app.pipeline import use_processors
from app.service import ModelCatalogue
from app.store import Job, JobFolders, JobState, JobTable, LeaseLost

IDLE_S = 1.0
LOADING_S = 0.5
"""How long a job waits whose model is being loaded."""
AGAIN_S = 5.0
"""How long a job waits after an error that may pass."""
KNOWN_S = 60.0
"""How long after a job was made a server may not know its version yet, which another server has found."""

_log = logging.getLogger(__name__)


class _NotKnownYet(Exception):
    """This server has not found the version yet with which another one made the job."""


class JobRunner:
    """Claims queued jobs, the oldest first, and predicts their pictures in order.

    A picture that fails does not stop the others of its job. Whatever was begun goes on after a restart, or on another
    server.
    """

    def __init__(
        self,
        table: JobTable,
        folders: JobFolders,
        catalogue: ModelCatalogue,
        leases: Leases,
        watchers: Watchers,
        limits: JobLimits,
        pictures: PictureRunner,
    ) -> None:
        self._table, self._folders, self._catalogue, self._leases = table, folders, catalogue, leases
        self._watchers, self._limits, self._pictures = watchers, limits, pictures
        self._threads = [
            Thread(target=self._serve, name=f"tessera-job-{number}", daemon=True) for number in range(limits.running)
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self, wait_s: float) -> None:
        """Waits at most so long for each thread; the leases have stopped."""
        for thread in self._threads:
            if thread.ident is not None:
                thread.join(wait_s)

    def _serve(self) -> None:
        use_processors(1)  # the lanes need the other processors
        while not self._leases.stopping:
            try:
                if not self._serve_one():
                    self._leases.wait(IDLE_S)
            except JobsDatabaseUnavailable:
                self._leases.wait(IDLE_S)
            except Exception:  # the thread must live on
                _log.exception("no job can be run at present")
                self._leases.wait(AGAIN_S)

    def _serve_one(self) -> bool:
        """Runs the next job; returns whether there was one."""
        job = self._leases.claim() if self._catalogue.started else None
        if job is None:
            return False
        later_s = 0.0
        try:
            later_s = self._run(job)
        except Exception:  # such as a disk that fails
            _log.exception("job %s stopped", job.id)
            later_s = self._again(job, AGAIN_S)
        finally:
            if self._leases.end(job.id, later_s):
                self._clear(job.id)
        return True

    def _run(self, job: Job) -> float:
        """Runs a job; returns how long it waits if it is to run again, else 0."""
        try:
            self._leases.change(job, lambda: self._tell_state(job, JobState.running))
            self._watchers.notify(job.id)
            artifact = self._artifact(job)
            for picture in job.pictures:
                if picture.state in (JobState.queued, JobState.running):
                    self._pictures.run(job, picture, artifact)
                elif picture.state is JobState.done:
                    self._folders.finish(job.id, picture.number)  # a kill may have come between
            self._finish(job)
        except Lost:
            pass
        except (Stopped, ModelLoading, EngineStopped):
            return self._again(job, LOADING_S, counted=False)
        except _NotKnownYet:
            return self._again(job, AGAIN_S, counted=False)
        except PASSING as error:
            _log.warning("job %s stopped: %s", job.id, error)
            return self._again(job, AGAIN_S)
        return 0.0

    def _artifact(self, job: Job) -> Artifact | TesseraError:
        """The version with which the job was made, or why it cannot be used. Raises ModelLoading, or _NotKnownYet."""
        try:
            artifact = self._catalogue.get(job.model, job.version)
        except ModelLoading:
            raise
        except TesseraError as error:
            if self._table.shared and isinstance(error, NotServed) and time() - job.created_s < KNOWN_S:
                raise _NotKnownYet from error
            return error
        if artifact.digest != job.digest:
            return VersionNotFound(
                f"version {job.version} of model {job.model!r} was replaced after the job was made; make the job again"
            )
        return artifact

    def _finish(self, job: Job) -> None:
        used, state = self._folders.used_bytes(job.id), JobState.done

        def change() -> None:
            nonlocal state
            whole = self._table.get(job.id)
            if whole is not None and any(each.state is JobState.failed for each in whole.pictures):
                state = JobState.failed
            now = time()
            expires_s = now + self._limits.expiry_s
            self._table.change(job.id, state=state, changed_s=now, expires_s=expires_s, reserved_bytes=used, starts=0)
            self._tell_state(job, state)

        self._leases.change(job, change)
        self._watchers.notify(job.id)
        _log.info("job %s is %s", job.id, state)

    def _again(self, job: Job, wait_s: float, *, counted: bool = True) -> float:
        """Queues a job again, and returns `wait_s`. If the database is away, the job waits for the end of its lease."""
        try:
            with self._table.held(job):
                self._table.change(job.id, state=JobState.queued)
                if not counted:
                    self._table.change(job.id, starts=max(job.starts - 1, 0))
                self._tell_state(job, JobState.queued)
        except LeaseLost:
            self._leases.lose(job.id)
        except JobsDatabaseUnavailable:
            pass
        self._watchers.notify(job.id)
        return wait_s

    def _clear(self, id: str) -> None:
        """Removes the files of a job that was cancelled or removed, not of one that another server has."""
        with suppress(JobsDatabaseUnavailable):  # the janitor removes them later
            job = self._table.get(id)
            if job is None or job.state in (JobState.cancelled, JobState.expired):
                self._folders.remove(id)

    def _tell_state(self, job: Job, state: JobState) -> None:
        self._table.tell(job.id, "state", json.dumps({"state": state}))
