"""Predicts the pictures of a job that this server has claimed."""

import json
import logging
import os
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from time import monotonic, sleep

import torch

from app.artifacts import Artifact
from app.decoders.rows import PictureRows
from app.errors import DeviceFailed, EngineStopped, InsufficientMemory, InsufficientStorage, TesseraError
from app.jobs.asked import question_of
from app.jobs.forms import Forms
from app.jobs.leases import Leases, Lost, Stopped
from app.jobs.opened import open_below
from app.jobs.progress import PictureProgress
from app.jobs.tiles import Layer
from app.jobs.watchers import Watchers
from app.jobs.work import work
from app.pipeline import Runner
from app.store import Job, JobFolders, JobPicture, JobState, JobTable, Problem

MOST_STARTS = 3
"""A picture fails after so many starts, by kills or by errors that may pass, after which it did not get further."""
PASSING = (DeviceFailed, InsufficientMemory, torch.AcceleratorError, torch.OutOfMemoryError)
"""Errors that may pass: the job is started again."""
RESULT_PAUSES_S = 1.0, 5.0, 20.0, 60.0
"""The pauses before the results of a picture are stored again after an error."""
CHECK_S = 0.25
"""How often it is checked in a pause whether the work is still wanted."""

Bands = Callable[[Artifact, Callable[[], None]], AbstractContextManager[Runner]]
"""Gives what computes the bands of a picture; the function raises if the picture is not wanted any more."""

_log = logging.getLogger(__name__)


class PictureRunner:
    """Predicts pictures, and records their states.

    opened: the folder that the operator opened; None: none
    bands: gives what computes the bands of a picture
    """

    def __init__(
        self,
        table: JobTable,
        folders: JobFolders,
        leases: Leases,
        watchers: Watchers,
        forms: Forms,
        opened: Path | None,
        bands: Bands,
    ) -> None:
        self._table, self._folders, self._leases, self._watchers = table, folders, leases, watchers
        self._forms, self._opened, self._bands = forms, opened, bands

    def run(self, job: Job, picture: JobPicture, artifact: Artifact | TesseraError) -> None:
        """Predicts one picture, or records why it failed.

        artifact: that of the job, or why it cannot be used
        Raises Stopped, Lost, EngineStopped, and errors that may pass.
        """
        self._leases.check(job.id)
        begun = picture.state is JobState.running
        try:
            if isinstance(artifact, TesseraError):
                raise artifact
            if begun and job.starts > MOST_STARTS:
                self._fail(job, picture, *_given_up(job))
                return
            self._set_state(job, picture, JobState.running)
            self._work(job, picture, artifact)
            self._set_state(job, picture, JobState.done)
        except (Stopped, Lost, EngineStopped):
            raise
        except PASSING:
            if job.starts < MOST_STARTS:
                raise
            self._fail(job, picture, *_given_up(job))
        except TesseraError as error:
            self._fail(job, picture, error.code, str(error))
        except OSError as error:
            self._leases.check(job.id)  # a job that is lost may have lost its files
            self._fail(job, picture, InsufficientStorage.code, f"the files of the picture failed: {error}")
        except Exception:
            _log.exception("picture %d of job %s failed", picture.number, job.id)
            self._fail(job, picture, "internal_error", "internal server error; the server's log has the details")
        else:
            self._folders.finish(job.id, picture.number)

    def _work(self, job: Job, picture: JobPicture, artifact: Artifact) -> None:
        files = self._folders.begin(job.id, picture.number, job.fence)
        descriptor = self._opened_file(job, picture)
        try:
            rows = PictureRows(descriptor, picture.name, files.temporary)
        finally:
            os.close(descriptor)
        with rows, self._bands(artifact, partial(self._leases.check, job.id)) as runner:
            report = PictureProgress(self._table, self._leases, self._watchers, self._forms.regions, job, picture)
            report.begin()
            work(artifact, rows, question_of(job.question), files, self._forms.result, report, report.found, runner)
        self._keep(job, picture, [*(files.pyramid(layer) for layer in Layer), files.result])

    def _keep(self, job: Job, picture: JobPicture, files: Sequence[Path]) -> None:
        """Puts the results where they are read from. Raises InsufficientStorage if they still cannot be put there."""
        self._leases.check(job.id)
        results = self._folders.results
        for pause_s in (*RESULT_PAUSES_S, None):
            try:
                results.put(job.id, picture.number, files)
                return
            except OSError as error:
                reason = error.strerror or str(error)
                _log.warning("the results of job %s cannot be stored in %s: %s", job.id, results.place, reason)
                if pause_s is None:
                    break
            self._pause(job.id, pause_s)
        raise InsufficientStorage(
            f"the results cannot be stored in {results.place} ({reason}), tried {len(RESULT_PAUSES_S) + 1} times; make "
            "the job again when it can be written"
        )

    def _pause(self, id: str, wait_s: float) -> None:
        """Waits; raises what stops the work on a job."""
        end_s = monotonic() + wait_s
        while (left_s := end_s - monotonic()) > 0:
            self._leases.check(id)
            sleep(min(left_s, CHECK_S))
        self._leases.check(id)

    def _opened_file(self, job: Job, picture: JobPicture) -> int:
        if picture.path is None:
            return os.open(self._folders.of(job.id, picture.number).upload, os.O_RDONLY)
        return open_below(self._opened or Path("/nonexistent"), picture.path)

    def _set_state(self, job: Job, picture: JobPicture, state: JobState, problem: Problem | None = None) -> None:
        def change() -> None:
            body: dict[str, object] = {"picture": picture.number, "state": state}
            self._table.change_picture(job.id, picture.number, state=state)
            if problem:
                body["error"] = {"code": problem.code, "message": problem.message}
                self._table.change_picture(job.id, picture.number, code=problem.code, message=problem.message)
                self._table.change(job.id, starts=1)
            self._table.tell(job.id, "picture", json.dumps(body), picture.number)

        self._leases.change(job, change)
        self._watchers.notify(job.id)

    def _fail(self, job: Job, picture: JobPicture, code: str, message: str) -> None:
        self._set_state(job, picture, JobState.failed, Problem(code, message))


def _given_up(job: Job) -> tuple[str, str]:
    return (
        "internal_error",
        f"the picture was begun {job.starts} times, and each time the server or a device failed; its log may say why",
    )
