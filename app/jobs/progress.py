"""What is recorded while a picture of a job is predicted and drawn."""

import json
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from app.jobs.leases import Leases
from app.jobs.watchers import Watchers
from app.pipeline import DefectRegion
from app.store import Job, JobPicture, JobTable

REGIONS_PER_EVENT = 1000


class PictureProgress:
    """Records the progress of a picture, and the regions that became final. Methods raise Stopped or Lost.

    regions: makes values for JSON of them
    """

    def __init__(
        self,
        table: JobTable,
        leases: Leases,
        watchers: Watchers,
        regions: Callable[[Sequence[DefectRegion]], list[Any]],
        job: Job,
        picture: JobPicture,
    ) -> None:
        self._table, self._leases, self._watchers, self._regions = table, leases, watchers, regions
        self._job, self._number = job, picture.number
        self._furthest, self._counted = picture.furthest, job.starts > 1
        self._known: set[tuple[int, int]] = set()
        self._recorded = 0

    def begin(self) -> None:
        """Reads which regions earlier starts have found."""

        def read() -> None:
            told = self._table.told(self._job.id, "regions", self._number)
            found = (each["peak"] for body in told for each in json.loads(body)["regions"])
            self._known = {(peak["x"], peak["y"]) for peak in found}

        self._leases.change(self._job, read)
        self._recorded = len(self._known)

    def __call__(self, stage: str, done: int, total: int, note: str = "") -> None:
        """Records that rows are done. If the picture got further than before, earlier starts no longer count."""
        self._leases.check(self._job.id)
        rows = done if stage == "rows" else total + done
        further = rows > self._furthest
        self._furthest = max(rows, self._furthest)
        self._leases.change(self._job, partial(self._record, stage, done, total, forget=further and self._counted))
        if further:
            self._counted = False
        self._watchers.notify(self._job.id)

    def _record(self, stage: str, done: int, total: int, *, forget: bool) -> None:
        id, number = self._job.id, self._number
        self._table.change_picture(id, number, stage=stage, done=done, total=total, furthest=self._furthest)
        if forget:
            self._table.change(id, starts=1)
        body = {"picture": number, "stage": stage, "done": done, "total": total}
        self._table.tell(id, "progress", json.dumps(body), number, instead=True)

    def found(self, regions: Sequence[DefectRegion]) -> None:
        """Records regions. After a restart, they may be found again: their peaks tell, which no two regions share."""
        new = [each for each in regions if (each.peak[1], each.peak[0]) not in self._known]
        if not new:
            return
        self._known.update((each.peak[1], each.peak[0]) for each in new)
        self._leases.change(self._job, partial(self._record_regions, new))
        self._recorded = len(self._known)

    def _record_regions(self, new: Sequence[DefectRegion]) -> None:
        id, before = self._job.id, {"regions": self._recorded}
        if not self._table.change_picture(id, self._number, only=before, regions=len(self._known)):
            return  # it was committed before, and the answer was lost
        for first in range(0, len(new), REGIONS_PER_EVENT):
            part = self._regions(new[first : first + REGIONS_PER_EVENT])
            self._table.tell(id, "regions", json.dumps({"picture": self._number, "regions": part}), self._number)
