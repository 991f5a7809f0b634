"""Errors of limits and budgets: bytes, pixels, memory, storage, time."""

from app.errors.base import TesseraError


class LimitExceeded(TesseraError):
    """Something is larger than a limit of this server; `limit` is the setting that holds it."""

    code = "limit_exceeded"
    status = 413
    limit = ""


class TooManyBytes(LimitExceeded):
    """The upload has more bytes than the limit."""

    code = "too_many_bytes"
    limit = "max_image_bytes"
    when = "the upload exceeds `max_image_bytes`; refused while it is read"
    example = (
        "the upload has more than 285,212,672 bytes (max_image_bytes); send a smaller file. A server with jobs_dir "
        "takes pictures of any size as jobs (POST /v1/jobs)"
    )


class TooManyPictures(LimitExceeded):
    """The request has more pictures than the limit."""

    code = "too_many_pictures"
    limit = "batch_pictures"
    when = "the form has more files than `batch_pictures`"
    example = "the form has more than 100 files; send at most 100 with a request"


class TooManyPixels(LimitExceeded):
    """The picture has more pixels than the limit, by its header."""

    code = "too_many_pixels"
    limit = "max_pixels"
    when = (
        "the picture's header announces more than `max_pixels`, or more than four times as many with the padding to "
        "whole tiles; refused before it is decoded"
    )
    example = (
        "The picture has 10,000 x 8,000 = 80,000,000 pixels, the limit is 67,108,864 (max_pixels); scale it down, or "
        "cut it into several pictures: a region of it (roi) needs the whole picture, too. A server with jobs_dir takes "
        "pictures of any size as jobs (POST /v1/jobs)"
    )


class DecodingLimit(LimitExceeded):
    """Reading the picture takes more memory or processor time than the limit."""

    code = "decoding_limit"
    when = "reading the picture takes more memory or processor time than any usual picture of its size"
    example = "reading this picture takes more than 5 s of processor time; save it anew, with common settings"


class TooCostly(LimitExceeded):
    """The picture needs more memory than one request may take."""

    code = "too_costly"
    limit = "max_work_bytes"
    when = "by its header the picture needs more than half of `max_work_bytes`; refused before it is decoded"
    example = "the picture needs 2,147,483,648 bytes of memory, and one request may take 1,073,741,824"


class TooManyPoints(LimitExceeded):
    """The outlines of the defect regions have more points than the limit."""

    code = "too_many_points"
    when = "the outlines of the defect regions (`format`) have more than 500,000 points, or as many runs of pixels"
    example = (
        "the outlines of the defect regions have more than 500,000 points; raise threshold or min_region_area, predict "
        "a region of interest (roi), or take the mask instead"
    )


class Overloaded(TesseraError):
    """A budget of this server has no room now; come back later.

    retry_after_s: when there is expected to be room
    limit: the setting that holds the budget
    """

    code = "overloaded"
    status = 429
    retry_within_s = 5  # retry_after_s is more exact
    when = (
        "the queue is full (`queue_tiles`), all uploads and answers together exceed `max_waiting_bytes`, the tiles "
        "that wait would take longer than the request's time limit, or there are `max_streams` streams of rows; "
        "`Retry-After` says when to come back"
    )
    example = (
        "the request has 16 tiles to compute, and needs 16 tiles of queue_tiles, which is 4,096; 4,090 are taken and "
        "120 are promised; come back in 12 s"
    )

    def __init__(self, message: str, retry_after_s: float, limit: str = "") -> None:
        super().__init__(message)
        self.retry_after_s, self.limit = retry_after_s, limit


class RateLimited(Overloaded):
    """The API key has used its tiles."""

    code = "rate_limited"
    when = "the API key may have `tiles_per_s` tiles computed in a second; `Retry-After` says when to come back"
    example = (
        "the key 'camera-3' may have 50 tiles a second computed (tiles_per_s), and the request has 63; "
        "come back in 1.3 s"
    )


class InsufficientMemory(TesseraError):
    """The work needs more memory than there is."""

    code = "insufficient_memory"
    status = 503
    when = "the picture needs more memory than there is"
    example = "The picture needs more memory than there is; send a smaller one"


class InsufficientStorage(TesseraError):
    """The upload or the job cannot be stored."""

    code = "insufficient_storage"
    status = 507
    retry_within_s = 30
    when = (
        "the temporary folder of the server (`TMPDIR`) is full or cannot be written to; or the disk of `jobs_dir` has "
        "no room for the job"
    )
    example = "the upload cannot be stored: No space left on device; try again later, or make room in TMPDIR"


class DeadlineExceeded(TesseraError):
    """The request was not answered within its time."""

    code = "deadline_exceeded"
    status = 504
    when = "the picture was not answered within `X-Request-Timeout`, or `request_timeout_s` without it"
    example = "the picture was not answered within 2.5 s, and is given up; allow more time"
