"""Takes jobs: makes them, receives the parts of their pictures, and queues them."""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from secrets import token_hex
from threading import Lock

from app.artifacts import Artifact
from app.decoders.rows import PictureRows
from app.decoding.large import is_available
from app.errors import InvalidImage, InvalidRegion, JobsUnavailable, LimitExceeded, TesseraError, UploadConflict
from app.jobs.admission import JobAdmission, band_bytes, stored_bytes
from app.jobs.asked import AskedJob, AskedPicture, question_of, question_text
from app.jobs.limits import JobLimits
from app.jobs.lookup import job_of, picture_of
from app.jobs.opened import open_below
from app.jobs.parts import Part
from app.service import ModelCatalogue
from app.store import ADMISSION, Job, JobFolders, JobPicture, JobState, JobTable
from app.tiling import Size

RequireMemory = Callable[[int, int], None]
"""Raises TooCostly if no band may take so many bytes, of a picture with so many pixels."""


class JobIntake:
    """Admits jobs. Any thread may call any method; all block on the disk.

    opened: the folder that the operator opened; None: none
    queued: called with the id of a job when it or one of its pictures has changed
    """

    def __init__(
        self,
        table: JobTable,
        folders: JobFolders,
        catalogue: ModelCatalogue,
        limits: JobLimits,
        opened: Path | None,
        *,
        require_memory: RequireMemory,
        queued: Callable[[str], None],
        clock: Callable[[], float],
    ) -> None:
        self._table, self._folders, self._catalogue, self._limits = table, folders, catalogue, limits
        self._opened, self._require_memory, self._queued, self._clock = opened, require_memory, queued, clock
        self._admission = JobAdmission(table, folders, limits, clock)
        self._admitting = Lock()  # so that one thread of this server waits for the turn, with one connection
        self._receiving = Lock()
        self._sending: set[tuple[str, int]] = set()  # pictures of which this server receives a part

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
        artifact = self._catalogue.wait(asked.model, asked.version)
        id, now = token_hex(8), self._clock()
        pictures = tuple(self._asked(artifact, asked, number) for number in range(len(asked.pictures)))
        state = JobState.queued if all(each.state is JobState.queued for each in pictures) else JobState.uploading
        reserved = sum(stored_bytes(0 if each.path else each.length, each.size) for each in pictures)
        version = artifact.name, artifact.version, artifact.digest, question_text(asked.question)
        job = Job(id, owner, state, *version, now, now, now + self._limits.expiry_s, reserved, 0, pictures)
        with self._admitting_alone():
            self._admission.require(owner, reserved)
            self._folders.make(id, len(pictures))
            self._table.add(job)
            self._table.tell(id, "state", json.dumps({"state": state}))
        self._queued(id)
        return job

    @contextmanager
    def _admitting_alone(self) -> Iterator[None]:
        """A transaction in which no other job is admitted, on no server: limits hold for all together."""
        with self._admitting, self._table.turn(ADMISSION):
            yield

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
        self._require_memory(band_bytes(artifact.model, plan, size), size[0] * size[1])

    def part(self, id: str, number: int, owner: str | None, offset: int) -> Part:
        """Begins a part of an upload; it must be closed. Raises JobNotFound or UploadConflict."""
        key = id, number
        picture_of(job_of(self._table, id, owner), number)
        with self._receiving:
            if key in self._sending:
                raise UploadConflict(f"another part of picture {number} is being received; wait for its end")
            self._sending.add(key)
        try:
            picture = self._continued(id, number, owner, offset)
            descriptor = os.open(self._folders.of(id, number).upload, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except BaseException:
            self._received(key)
            raise
        return Part(descriptor, offset, picture.length - offset, partial(self._stored, key, offset))

    def _continued(self, id: str, number: int, owner: str | None, offset: int) -> JobPicture:
        """The picture, if its upload goes on at this offset. Raises JobNotFound or UploadConflict."""
        picture = picture_of(job_of(self._table, id, owner), number)
        if picture.state is not JobState.uploading:
            raise UploadConflict(f"picture {number} is {picture.state}; it takes no more bytes")
        if offset != picture.offset:
            raise UploadConflict(
                f"the upload goes on at offset {picture.offset:,}, and the part begins at {offset:,}; HEAD returns the "
                "offset"
            )
        return picture

    def _stored(self, key: tuple[str, int], offset: int, count: int) -> None:
        id, number = key
        try:
            with self._table.transaction():
                # Another server may have taken a part of the same client meanwhile: then this one does not count.
                self._table.change_picture(id, number, only={"offset": offset}, offset=offset + count)
                self._table.change(id, expires_s=self._clock() + self._limits.expiry_s)
        finally:
            self._received(key)

    def _received(self, key: tuple[str, int]) -> None:
        with self._receiving:
            self._sending.discard(key)

    def accept(self, id: str, number: int, owner: str | None) -> JobPicture:
        """Queues a picture whose upload is complete, and then its job; returns the picture as it is.

        Raises what `create` raises for a path. A picture that can never be predicted has failed then; after another
        error, this may be called again.
        """
        picture = picture_of(job_of(self._table, id, owner), number)
        if picture.state is not JobState.uploading or picture.offset < picture.length:
            return picture
        job = job_of(self._table, id, owner)
        try:
            size = self._accepted_size(job, picture)
        except (InvalidImage, InvalidRegion, LimitExceeded) as error:
            self._settle(job, picture, error)
            raise
        try:
            with self._admitting_alone():
                job = job_of(self._table, id, owner)
                if picture_of(job, number).size is None:  # else another request has got further
                    needed = job.reserved_bytes + stored_bytes(0, size)
                    self._admission.require(job.owner, needed, job)
                    self._table.change(id, reserved_bytes=needed)
                    self._table.change_picture(id, number, height=size[0], width=size[1])
        except LimitExceeded as error:
            self._settle(job, picture, error)
            raise
        self._settle(job, picture, None)
        return picture_of(job_of(self._table, id, owner), number)

    def _accepted_size(self, job: Job, picture: JobPicture) -> Size:
        artifact = self._catalogue.wait(job.model, job.version)
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
            self._table.lock(job.id)  # another server may settle another picture of the job
            values = {"state": JobState.queued} if error is None else {"state": JobState.failed, "code": error.code}
            message = {} if error is None else {"message": str(error)}
            uploading = {"state": JobState.uploading}
            self._table.change_picture(job.id, picture.number, only=uploading, **values, **message)
            found = self._table.get(job.id)
            if found is not None and all(each.state is not JobState.uploading for each in found.pictures):
                changed = {"state": JobState.queued, "changed_s": self._clock()}
                if self._table.change(job.id, only=(JobState.uploading,), **changed):
                    self._table.tell(job.id, "state", json.dumps({"state": JobState.queued}))
        self._queued(job.id)
