"""Finds jobs and their pictures for those who may see them."""

from app.errors import JobNotFound
from app.store import Job, JobPicture, JobTable


def job_of(table: JobTable, id: str, owner: str | None) -> Job:
    """The job, if it belongs to `owner`; None sees all. Raises JobNotFound."""
    job = table.get(id) if id.isascii() and id.isalnum() else None  # PostgreSQL takes no NUL
    if job is None or owner not in (None, job.owner):
        raise JobNotFound(f"there is no job {id[:40]!r}; it may have expired, or belong to another key")
    return job


def picture_of(job: Job, number: int) -> JobPicture:
    """Raises JobNotFound."""
    if not 0 <= number < len(job.pictures):
        raise JobNotFound(f"job {job.id!r} has {len(job.pictures)} pictures, counted from 0, and no picture {number}")
    return job.pictures[number]
