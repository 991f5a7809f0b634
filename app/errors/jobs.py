"""Errors of jobs: of their folder and database, of what a client asks of them, and of uploads and paths."""

from app.errors.base import TesseraError
from app.errors.limits import LimitExceeded, Overloaded


class InvalidJobs(TesseraError):
    """The folder or the database of jobs cannot be used."""

    code = "invalid_jobs"
    status = 500


class JobsDatabaseUnavailable(TesseraError):
    """The database of jobs cannot be used at present."""

    code = "jobs_database_unavailable"
    status = 503
    retry_within_s = 10
    when = (
        "the database of jobs cannot be reached, does not answer, or cannot write; predictions are not affected, and "
        "accepted jobs are kept"
    )
    example = (
        "the database of jobs cannot be used at present; jobs that were accepted are kept, and go on when it is back; "
        "try again in a few seconds"
    )


class JobsUnavailable(TesseraError):
    """This server takes no jobs."""

    code = "jobs_unavailable"
    status = 404
    when = (
        "the server has no folder for jobs (`jobs_dir`), opened no folder (`jobs_folder`), or lacks the extra `large`"
    )
    example = "this server takes no jobs; its operator can name a folder for them (jobs_dir)"


class JobNotFound(TesseraError):
    """No such job, picture or tile is there."""

    code = "job_not_found"
    status = 404
    when = "there is no such job, or it belongs to another API key; or the job has no such picture, or no such tile"
    example = "there is no job '8f14e45fceea167a'; it may have expired, or belong to another key"


class ResultsUnavailable(TesseraError):
    """The results of jobs cannot be read at present."""

    code = "results_unavailable"
    status = 503
    retry_within_s = 10
    when = "the results of a picture are there, and their folder or bucket (`jobs_results`) cannot be read"
    example = "s3://plant/results/8f14e45fceea167a/0/mask.tif cannot be read now: it does not answer within 10 s"


class JobNotDone(TesseraError):
    """The picture of the job has no result."""

    code = "job_not_done"
    status = 409
    when = "the results of a picture are requested before it is done, or after it failed, was cancelled or expired"
    example = "picture 0 of job '8f14e45fceea167a' is running; its results are there when it is done"


class UploadConflict(TesseraError):
    """The part does not continue the upload."""

    code = "upload_conflict"
    status = 409
    when = (
        "the part of an upload does not begin at the picture's offset, reaches beyond its length, or another part is "
        "being sent; or the picture is not being uploaded"
    )
    example = "the upload goes on at offset 1,048,576, and the part begins at 0; HEAD returns the offset"


class InvalidPath(TesseraError):
    """The path does not name a file in the opened folder."""

    code = "invalid_path"
    status = 422
    when = "the path of a picture is not that of a regular file in the folder that the operator opened (`jobs_folder`)"
    example = "the path '../a.tif' leaves the opened folder; give a path below it, such as lot-7/a.tif"


class JobTooLarge(LimitExceeded):
    """The job needs more space than the jobs of one key may take."""

    code = "job_too_large"
    limit = "jobs_bytes_per_key"
    when = "the pictures of the job and their results need more than `jobs_bytes_per_key`; refused before any is read"
    example = "the job needs 90,000,000,000 bytes on the disk, and the jobs of a key may take 68,719,476,736"


class JobQuota(Overloaded):
    """The API key has too many jobs, or jobs that are too large."""

    code = "job_quota"
    when = (
        "the API key has `jobs_per_key` jobs, or they take `jobs_bytes_per_key`; `Retry-After` says when the next one "
        "expires; delete one to make room at once"
    )
    example = "this key has 100 jobs, the limit (jobs_per_key); delete one, or wait until one expires"
