"""Jobs and their pictures as rows."""

from collections.abc import Sequence

from sqlalchemy import RowMapping

from app.store.job import Job, JobPicture, JobState, Problem


def job_row(job: Job) -> dict[str, object]:
    """The row of a job that is new."""
    return {
        "id": job.id,
        "owner": job.owner,
        "state": job.state.value,
        "model": job.model,
        "version": job.version,
        "digest": job.digest,
        "question": job.question,
        "created_s": job.created_s,
        "changed_s": job.changed_s,
        "expires_s": job.expires_s,
        "reserved_bytes": job.reserved_bytes,
        "starts": job.starts,
    }


def picture_row(job: str, picture: JobPicture) -> dict[str, object]:
    """The row of a picture of the job with this id."""
    height, width = picture.size or (None, None)
    code, message = (picture.problem.code, picture.problem.message) if picture.problem else (None, None)
    return {
        "job": job,
        "number": picture.number,
        "name": picture.name,
        "path": picture.path,
        "length": picture.length,
        "offset": picture.offset,
        "state": picture.state.value,
        "height": height,
        "width": width,
        "stage": picture.stage,
        "done": picture.done,
        "total": picture.total,
        "regions": picture.regions,
        "furthest": picture.furthest,
        "code": code,
        "message": message,
    }


def job_of_rows(row: RowMapping, pictures: Sequence[RowMapping]) -> Job:
    """The job of its row, and of the rows of its pictures in order."""
    return Job(
        row["id"],
        row["owner"],
        JobState(row["state"]),
        row["model"],
        row["version"],
        row["digest"],
        row["question"],
        row["created_s"],
        row["changed_s"],
        row["expires_s"],
        row["reserved_bytes"],
        row["starts"],
        tuple(map(_picture, pictures)),
        row["fence"],
    )


def _picture(row: RowMapping) -> JobPicture:
    return JobPicture(
        row["number"],
        row["name"],
        row["path"],
        row["length"],
        row["offset"],
        JobState(row["state"]),
        None if row["height"] is None else (row["height"], row["width"]),
        row["stage"],
        row["done"],
        row["total"],
        row["regions"],
        row["furthest"],
        None if row["code"] is None else Problem(row["code"], row["message"]),
    )
