"""What clients do with jobs: make, follow, cancel and remove them, and read their results."""

import json
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from threading import Event as ThreadEvent
from threading import Thread
from time import time

from app.errors import InvalidJobs, JobNotDone
from app.files import locked
from app.jobs.forms import Forms
from app.jobs.intake import JobIntake, RequireMemory
from app.jobs.limits import JobLimits
from app.jobs.lookup import job_of, picture_of
from app.jobs.runner import Bands, JobRunner
from app.jobs.tiles import Layer, Pyramid, pyramid_of, tile_of
from app.jobs.watchers import Watchers
from app.service import ModelCatalogue
from app.store import ENDED, Event, Job, JobFolders, JobPicture, JobState, JobTable

EXPIRY_INTERVAL_S = 10.0
STOP_S = 0.25
"""How long running jobs may finish their current band when the server ends."""


class Jobs:
    """The jobs of a server, in a folder of its own. Any thread may call any method; most block on the disk.

    `bands` gives what computes the bands of a picture.
    `owner` is the name of the API key of a request: it sees its own jobs; None sees all.
    Raises InvalidJobs if the folder cannot be used, or another server uses it.
    """

    def __init__(
        self,
        root: Path,
        opened: Path | None,
        limits: JobLimits,
        catalogue: ModelCatalogue,
        require_memory: RequireMemory,
        forms: Forms,
        bands: Bands,
        clock: Callable[[], float] = time,
    ) -> None:
        self._limits, self._clock = limits, clock
        self._held = ExitStack()
        try:
            self._folders = JobFolders(root)
            self._held.enter_context(locked(root, wait=False))
        except BlockingIOError as error:
            raise InvalidJobs(
                f"another server uses {root} (jobs_dir); each server needs a folder of its own"
            ) from error
        except OSError as error:
            raise InvalidJobs(f"{root} (jobs_dir) cannot be used: {error.strerror or error}") from error
        try:
            self._table = JobTable(root / "jobs.sqlite")
        except BaseException:
            self._held.close()
            raise
        self.watchers = Watchers()
        self._runner = JobRunner(self._table, self._folders, catalogue, self.watchers, forms, limits, opened, bands)
        self.intake = JobIntake(
            self._table,
            self._folders,
            catalogue,
            limits,
            opened,
            require_memory=require_memory,
            queued=self._queued,
            clock=clock,
        )
        self._stopped = ThreadEvent()
        self._janitor = Thread(target=self._expire_often, name="tessera-jobs-expiry", daemon=True)

    def start(self) -> None:
        """Goes on with the jobs that were running, and with those that wait."""
        known = self._table.in_state(*JobState)
        for job in known:
            self._table.change(job.id, only=(JobState.running,), state=JobState.queued)
        self._folders.remove_all_but(
            {job.id for job in known if job.state not in (JobState.cancelled, JobState.expired)}
        )
        self._runner.start()
        self._janitor.start()

    def stop(self) -> None:
        """Ends the threads; running jobs go on after the next start."""
        self._stopped.set()
        self.watchers.close()
        self._runner.stop(STOP_S)
        self._table.close()
        self._held.close()

    def _queued(self, id: str) -> None:
        self.watchers.notify(id)
        self._runner.wake()

    def get(self, id: str, owner: str | None) -> Job:
        """Raises JobNotFound."""
        return job_of(self._table, id, owner)

    def picture(self, id: str, number: int, owner: str | None) -> JobPicture:
        """Raises JobNotFound."""
        return picture_of(self.get(id, owner), number)

    def newest(self, owner: str | None, most: int) -> list[Job]:
        """The newest jobs, the newest first."""
        return self._table.newest(owner, most)

    def counts(self) -> dict[JobState, int]:
        """The number of jobs in each state."""
        return self._table.counts()

    def free_bytes(self) -> int:
        """The free bytes of the disk; raises OSError."""
        return self._folders.free_bytes()

    def events(self, id: str, after: int) -> list[Event]:
        """The next events after the number `after`, the oldest first."""
        return self._table.events(id, after)

    def regions(self, id: str, number: int) -> list[object]:
        """The regions of a picture that no later row can change, in the order in which they became final."""
        bodies = self._table.told(id, "regions", number)
        return [each for body in bodies for each in json.loads(body)["regions"]]

    def delete(self, id: str, owner: str | None) -> Job | None:
        """Cancels a job that has not ended, and returns it; removes one that has ended, and returns None.

        Either frees its space: at once, or when the band that is being computed is done. Raises JobNotFound.
        """
        job = self.get(id, owner)
        if job.state in ENDED:
            self._table.remove(id)
            self._runner.give_up(id)
            self.watchers.notify(id)
            return None
        now = self._clock()
        active = (JobState.uploading, JobState.queued, JobState.running)
        values = {"changed_s": now, "expires_s": now + self._limits.expiry_s, "reserved_bytes": 0}
        with self._table.transaction():  # who follows the job must not see its end before the event of it
            cancelled = self._table.change(id, only=active, state=JobState.cancelled, **values)
            if cancelled:
                for each in job.pictures:
                    if each.state not in ENDED:
                        self._table.change_picture(id, each.number, state=JobState.cancelled)
                self._table.tell(id, "state", json.dumps({"state": JobState.cancelled}))
        if cancelled:
            self._runner.give_up(id)
            self.watchers.notify(id)
        return self.get(id, owner)

    def result(self, id: str, number: int, owner: str | None) -> Path:
        """The prediction of a picture that is done, as JSON. Raises JobNotFound or JobNotDone."""
        self._require_done(id, number, owner)
        return self._folders.of(id, number).result

    def pyramid_file(self, id: str, number: int, layer: Layer, owner: str | None) -> Path:
        """A pyramid of a picture that is done. Raises JobNotFound or JobNotDone."""
        self._require_done(id, number, owner)
        return self._folders.of(id, number).pyramid(layer)

    def pyramid(self, id: str, number: int, owner: str | None) -> Pyramid:
        """The levels of the pyramids of a picture that is done. Raises JobNotFound or JobNotDone."""
        return pyramid_of(self.pyramid_file(id, number, Layer.overlay, owner))

    def tile(self, id: str, number: int, layer: Layer, place: tuple[int, int, int], owner: str | None) -> bytes:
        """The tile at (level, x, y): JPEG of the overlay, PNG of the others. Raises JobNotFound or JobNotDone."""
        return tile_of(self.pyramid_file(id, number, layer, owner), *place, lossless=layer is not Layer.overlay)

    def _require_done(self, id: str, number: int, owner: str | None) -> None:
        picture, job = self.picture(id, number, owner), self.get(id, owner)
        state = job.state if job.state in (JobState.expired, JobState.cancelled) else picture.state
        if state is not JobState.done:
            ends = "" if state in ENDED else "; its results are there when it is done"
            raise JobNotDone(f"picture {number} of job {id!r} is {state}{ends}")

    def expire(self) -> None:
        """Removes what is over: first the files of a job, later also its entry."""
        now = self._clock()
        for job in self._table.due(now):
            if job.state is JobState.expired:
                self._table.remove(job.id)
                continue
            values = {"changed_s": now, "expires_s": now + self._limits.expiry_s}
            with self._table.transaction():
                expired = self._table.change(job.id, only=(job.state,), state=JobState.expired, **values)
                if expired:
                    self._table.tell(job.id, "state", json.dumps({"state": JobState.expired}))
            if expired:
                self._runner.give_up(job.id)
                self.watchers.notify(job.id)

    def _expire_often(self) -> None:
        while not self._stopped.wait(EXPIRY_INTERVAL_S):
            with suppress(Exception):  # a disk that fails is reported by the requests that need it
                self.expire()
