"""A job and its pictures, as they are stored."""

from dataclasses import dataclass
from enum import StrEnum


class JobState(StrEnum):
    """The state of a job, or of one of its pictures.

    uploading: parts of pictures are missing
    queued: all is there; it waits
    running: it is being predicted or drawn
    done: all results are there
    failed: a picture could not be predicted; the others of the job are done
    cancelled: a client cancelled it; its files are removed
    expired: its files were removed, because their time was over
    """

    uploading = "uploading"
    queued = "queued"
    running = "running"
    done = "done"
    failed = "failed"
    cancelled = "cancelled"
    expired = "expired"


ENDED = frozenset({JobState.done, JobState.failed, JobState.cancelled, JobState.expired})
"""The states in which nothing more happens by itself, except that a job expires."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a picture failed: the code of an error, and its message."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class JobPicture:
    """A picture of a job.

    number: counted from 0
    name: of its file
    path: where it lies, below the opened folder; None: it is uploaded
    length: the bytes of its file
    offset: the bytes that are on the disk
    size: (height, width) in pixels; None: not known yet
    stage, done, total: the progress of the current stage: `done` of `total` rows
    regions: the number of regions that no later row can change
    furthest: the rows of all stages that were ever done, to see whether a restart got further
    """

    number: int
    name: str
    path: str | None
    length: int
    offset: int
    state: JobState
    size: tuple[int, int] | None = None
    stage: str = ""
    done: int = 0
    total: int = 0
    regions: int = 0
    furthest: int = 0
    problem: Problem | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """A job.

    owner: the name of the API key that made it; empty: made without a key
    model, version, digest: the artifact; the digest tells whether the version was replaced meanwhile
    question: threshold, smallest area and region of interest, as JSON
    created_s, changed_s, expires_s: seconds since 1970; queued and running jobs do not expire
    reserved_bytes: the space that the job may take on the disk
    starts: how often it was begun since it last got further
    fence: how often servers have claimed it: who claimed it earlier has lost it
    """

    id: str
    owner: str
    state: JobState
    model: str
    version: int
    digest: str
    question: str
    created_s: float
    changed_s: float
    expires_s: float
    reserved_bytes: int
    starts: int
    pictures: tuple[JobPicture, ...]
    fence: int = 0


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to a job. `number` rises; `body` is JSON."""

    number: int
    type: str
    body: str
