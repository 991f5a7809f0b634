"""Admits jobs by what they may take: the disk, the quota of their key, and the memory of a band."""

from collections.abc import Callable

from app.admission.costs import DECODED_BYTES, DECODER_BYTES, FLOAT, MAP_BYTES, device_bytes
from app.errors import InsufficientStorage, JobQuota, JobTooLarge
from app.jobs.limits import PIXEL_BYTES, JobLimits
from app.pipeline import TiledModel
from app.pipeline.scan import bands
from app.store import Job, JobFolders, JobState, JobTable
from app.tiling import Size, TilePlan, rows_shown

_ACTIVE = JobState.uploading, JobState.queued, JobState.running


class JobAdmission:
    """Refuses jobs that have no room. Call it while nothing else is admitted."""

    def __init__(self, table: JobTable, folders: JobFolders, limits: JobLimits, clock: Callable[[], float]) -> None:
        self._table, self._folders, self._limits, self._clock = table, folders, limits, clock

    def require(self, owner: str, needed: int, job: Job | None = None) -> None:
        """Raises JobTooLarge, JobQuota or InsufficientStorage unless the owner may have a job of `needed` bytes.

        job: that which needs them; None: a new one
        """
        limits = self._limits
        if needed > limits.bytes_per_key:
            raise JobTooLarge(
                f"the job needs {needed:,} bytes on the disk for its pictures and results, and the jobs of a key may "
                f"take {limits.bytes_per_key:,} (jobs_bytes_per_key); send fewer pictures at once, or smaller ones"
            )
        count, reserved, soonest_s = self._table.usage(owner)
        wait_s = max((soonest_s or 0.0) - self._clock(), 60.0)
        whose = f"the key {owner!r}" if owner else "this server"
        if job is None and count >= limits.per_key:
            raise JobQuota(
                f"{whose} has {count:,} jobs, the limit (jobs_per_key); delete one, or wait until one expires",
                wait_s,
                "jobs_per_key",
            )
        others = reserved - (job.reserved_bytes if job else 0)
        if others + needed > limits.bytes_per_key:
            raise JobQuota(
                f"the job needs {needed:,} bytes on the disk; the other jobs of {whose} take {others:,}, and all may "
                f"take {limits.bytes_per_key:,} (jobs_bytes_per_key); delete one, or wait until one expires",
                wait_s,
                "jobs_bytes_per_key",
            )
        self._require_disk(needed, job)

    def _require_disk(self, needed: int, job: Job | None) -> None:
        promised = 0
        for each in self._table.in_state(*_ACTIVE):
            if job is None or each.id != job.id:
                promised += max(each.reserved_bytes - self._folders.used_bytes(each.id), 0)
        more = needed - (self._folders.used_bytes(job.id) if job else 0)
        room = self._folders.free_bytes() - self._limits.free_bytes - promised
        if more > room:
            raise InsufficientStorage(
                f"the job needs {more:,} bytes more on the disk of jobs_dir, and {max(room, 0):,} are free beyond what "
                f"other jobs need and the {self._limits.free_bytes:,} that stay free (jobs_free_bytes); delete jobs, "
                "or try again later"
            )


def stored_bytes(file_bytes: int, size: Size | None) -> int:
    """The space that a picture may take: its file if it is uploaded, and its results if its size is known."""
    return file_bytes + (PIXEL_BYTES * size[0] * size[1] if size else 0)


def band_bytes(model: TiledModel, plan: TilePlan, size: Size) -> int:
    """The most memory that a picture of this (height, width) takes while it is predicted in bands of `plan`."""
    pixel = 2 * DECODED_BYTES + DECODER_BYTES + MAP_BYTES  # the next band is read while one is computed
    found = bands(plan)
    largest = max(found, key=lambda band: len(rows_shown(band)))
    resized = 0 if plan.image_size == size else 4 * FLOAT * plan.image_size[0] * plan.image_size[1]
    return pixel * size[1] * max(len(rows_shown(largest)), 1) + resized + device_bytes(model, largest)
