"""What clients do with jobs: make, upload, follow, cancel and remove them, and read their results."""

import json
import os
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from secrets import token_hex
from threading import Event as ThreadEvent
from threading import Lock, Thread
from time import time

from app.artifacts import Artifact
from app.decoders.rows import PictureRows
from app.decoding.large import is_available
from app.errors import (
    InvalidImage,
    InvalidJobs,
    InvalidRegion,
    JobNotDone,
    JobNotFound,
    JobsUnavailable,
    LimitExceeded,
    TesseraError,
    UploadConflict,
)
from app.files import locked
from app.jobs.admission import JobAdmission, band_bytes, stored_bytes
from app.jobs.asked import AskedJob, AskedPicture, question_of, question_text
from app.jobs.forms import Forms
from app.jobs.limits import JobLimits
from app.jobs.opened import open_below
from app.jobs.parts import Part
from app.jobs.runner import JobRunner
from app.jobs.tiles import Layer, Pyramid, pyramid_of, tile_of
from app.jobs.watchers import Watchers
from app.service import ModelCatalogue
from app.store import ENDED, Event, Job, JobFolders, JobPicture, JobState, JobTable
from app.tiling import Size

EXPIRY_INTERVAL_S = 10.0
STOP_S = 0.25
"""How long running jobs may finish their current band when the server ends."""

RequireMemory = Callable[[int, str], None]
"""Raises TooCostly if no request may take so many bytes for what the text names."""


class Jobs:
    """The jobs of a server, in a folder of its own. Any thread may call any method; most block on the disk.

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
        clock: Callable[[], float] = time,
    ) -> None:
        self._opened, self._limits, self._catalogue, self._clock = opened, limits, catalogue, clock
        self._require_memory = require_memory
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
        self._admission = JobAdmission(self._table, self._folders, limits, clock)
        self._runner = JobRunner(self._table, self._folders, catalogue, self.watchers, forms, limits, opened)
        self._admitting = Lock()
        self._sending: set[tuple[str, int]] = set()  # pictures of which a part is being received
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

    def create(self, owner: str, asked: AskedJob) -> Job:
        """Makes a job, which survives the process when this returns.

        Raises JobsUnavailable, NotServed, InvalidPath, InvalidImage, InvalidRegion, LimitExceeded, JobQuota or
        InsufficientStorage.
        """
        if not is_available():
            raise JobsUnavailable(
                "this server cannot read pictures of any size; its operator can install the extra `large`: "
                "pip install 'pyvips[binary]'"
            )
        artifact = self._catalogue.get(asked.model, asked.version)
        id, now = token_hex(8), self._clock()
        pictures = tuple(self._asked(artifact, asked, number) for number in range(len(asked.pictures)))
        state = JobState.queued if all(each.state is JobState.queued for each in pictures) else JobState.uploading
        reserved = sum(stored_bytes(0 if each.path else each.length, each.size) for each in pictures)
        version = artifact.name, artifact.version, artifact.digest, question_text(asked.question)
        job = Job(id, owner, state, *version, now, now, now + self._limits.expiry_s, reserved, 0, pictures)
        with self._admitting:
            self._admission.require(owner, reserved)
            self._folders.make(id, len(pictures))
            self._table.add(job)
        self._table.tell(id, "state", json.dumps({"state": state}))
        self._runner.wake()
        return job

    def _asked(self, artifact: Artifact, asked: AskedJob, number: int) -> JobPicture:
        picture = asked.pictures[number]
        if picture.path is None:
            return JobPicture(number, picture.name, None, picture.length, 0, JobState.uploading)
        if self._opened is None:
            raise JobsUnavailable(
                "this server takes no paths, only uploads; its operator can open a folder for jobs (jobs_folder)"
            )
        descriptor = open_below(self._opened, picture.path)
        try:
            length = os.fstat(descriptor).st_size
            size = self._read_size(descriptor, picture)
        finally:
            os.close(descriptor)
        self._require_possible(artifact, asked, size)
        return JobPicture(number, picture.name, picture.path, length, length, JobState.queued, size)

    def _read_size(self, descriptor: int, picture: AskedPicture | JobPicture) -> Size:
        if not os.fstat(descriptor).st_size:
            raise InvalidImage(f"{picture.name} is empty; give a picture")
        with PictureRows(descriptor, picture.name, self._folders.root) as rows:
            return rows.size

    def _require_possible(self, artifact: Artifact, asked: AskedJob, size: Size) -> None:
        """Raises InvalidRegion, or TooCostly for a picture so wide that its bands do not fit into memory."""
        plan = artifact.model.plan(*size, asked.question.roi)
        self._require_memory(band_bytes(artifact.model, plan, size), "a band of the picture")

    def get(self, id: str, owner: str | None) -> Job:
        """Raises JobNotFound."""
        job = self._table.get(id)
        if job is None or owner not in (None, job.owner):
            raise JobNotFound(f"there is no job {id[:40]!r}; it may have expired, or belong to another key")
        return job

    def picture(self, id: str, number: int, owner: str | None) -> JobPicture:
        """Raises JobNotFound."""
        job = self.get(id, owner)
        if not 0 <= number < len(job.pictures):
            raise JobNotFound(f"job {id!r} has {len(job.pictures)} pictures, counted from 0, and no picture {number}")
        return job.pictures[number]

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

    def part(self, id: str, number: int, owner: str | None, offset: int) -> Part:
        """Begins a part of an upload; it must be closed. Raises JobNotFound or UploadConflict."""
        key = id, number
        with self._admitting:
            picture = self.picture(id, number, owner)
            if picture.state is not JobState.uploading:
                raise UploadConflict(f"picture {number} is {picture.state}; it takes no more bytes")
            if key in self._sending:
                raise UploadConflict(f"another part of picture {number} is being received; wait for its end")
            if offset != picture.offset:
                raise UploadConflict(
                    f"the upload goes on at offset {picture.offset:,}, and the part begins at {offset:,}; HEAD returns "
                    "the offset"
                )
            descriptor = os.open(self._folders.of(id, number).upload, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
            self._sending.add(key)

        def stored(count: int) -> None:
            with self._admitting:
                self._sending.discard(key)
                self._table.change_picture(id, number, offset=offset + count)
                self._table.change(id, expires_s=self._clock() + self._limits.expiry_s)

        return Part(descriptor, offset, picture.length - offset, stored)

    def accept(self, id: str, number: int, owner: str | None) -> JobPicture:
        """Queues a picture whose upload is complete, and then its job; returns the picture as it is.

        Raises what `create` raises for a path. A picture that can never be predicted has failed then; after another
        error, this may be called again.
        """
        picture = self.picture(id, number, owner)
        if picture.state is not JobState.uploading or picture.offset < picture.length:
            return picture
        job = self.get(id, owner)
        try:
            size = self._accepted_size(job, picture)
        except (InvalidImage, InvalidRegion, LimitExceeded) as error:
            self._settle(job, picture, error)
            raise
        with self._admitting:
            job = self.get(id, owner)
            needed = job.reserved_bytes + stored_bytes(0, size)
            try:
                self._admission.require(job.owner, needed, job)
            except LimitExceeded as error:
                self._settle(job, picture, error)
                raise
            self._table.change(id, reserved_bytes=needed)
            self._table.change_picture(id, number, height=size[0], width=size[1])
        self._settle(job, picture, None)
        return self.picture(id, number, owner)

    def _accepted_size(self, job: Job, picture: JobPicture) -> Size:
        artifact = self._catalogue.get(job.model, job.version)
        asked = AskedJob(job.model, job.version, question_of(job.question), ())
        descriptor = os.open(self._folders.of(job.id, picture.number).upload, os.O_RDONLY)
        try:
            size = self._read_size(descriptor, picture)
        finally:
            os.close(descriptor)
        self._require_possible(artifact, asked, size)
        return size

    def _settle(self, job: Job, picture: JobPicture, error: TesseraError | None) -> None:
        """Queues a picture or lets it fail; the job is queued with its last picture."""
        with self._table.transaction():
            values = {"state": JobState.queued} if error is None else {"state": JobState.failed, "code": error.code}
            message = {} if error is None else {"message": str(error)}
            self._table.change_picture(job.id, picture.number, **values, **message)
            found = self._table.get(job.id)
            if found is not None and all(each.state is not JobState.uploading for each in found.pictures):
                changed = {"state": JobState.queued, "changed_s": self._clock()}
                if self._table.change(job.id, only=(JobState.uploading,), **changed):
                    self._table.tell(job.id, "state", json.dumps({"state": JobState.queued}))
        self.watchers.notify(job.id)
        self._runner.wake()

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
        if self._table.change(id, only=active, state=JobState.cancelled, **values):
            for each in job.pictures:
                if each.state not in ENDED:
                    self._table.change_picture(id, each.number, state=JobState.cancelled)
            self._table.tell(id, "state", json.dumps({"state": JobState.cancelled}))
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
            if self._table.change(job.id, only=(job.state,), state=JobState.expired, **values):
                self._table.tell(job.id, "state", json.dumps({"state": JobState.expired}))
                self._runner.give_up(job.id)
                self.watchers.notify(job.id)

    def _expire_often(self) -> None:
        while not self._stopped.wait(EXPIRY_INTERVAL_S):
            with suppress(Exception):  # a disk that fails is reported by the requests that need it
                self.expire()
