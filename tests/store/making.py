"""Jobs to store."""

from app.store import Job, JobPicture, JobState, Problem

NOW = 1_800_000_000.0


def job(id: str, owner: str = "one", state: JobState = JobState.queued, **values: object) -> Job:
    pictures = (
        JobPicture(0, "a.tif", "lot/a.tif", 10, 10, JobState.queued, (30, 40)),
        JobPicture(1, "b.tif", None, 2**40, 7, JobState.failed, problem=Problem("damaged_image", "b.tif is cut")),
    )
    given = {"reserved_bytes": 2**40, "starts": 0, "expires_s": NOW + 100.25} | values
    return Job(
        id=id,
        owner=owner,
        state=state,
        model="surface",
        version=3,
        digest="d" * 64,
        question="{}",
        created_s=NOW + 0.5,
        changed_s=NOW + 0.5,
        pictures=pictures,
        **given,  # type: ignore[arg-type]  # of the types of the columns
    )
