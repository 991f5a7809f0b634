"""What is recorded while a picture of a job is predicted and drawn."""

import json
from collections.abc import Callable, Sequence
from typing import Any

from app.jobs.watchers import Watchers
from app.pipeline import DefectRegion
from app.store import Job, JobPicture, JobTable

REGIONS_PER_EVENT = 1000


class PictureProgress:
    """Records the progress of a picture, and the regions that became final.

    regions: makes values for JSON of them
    check: raises what stops the job
    """

    def __init__(
        self,
        table: JobTable,
        watchers: Watchers,
        regions: Callable[[Sequence[DefectRegion]], list[Any]],
        check: Callable[[], None],
        job: Job,
        picture: JobPicture,
    ) -> None:
        self._table, self._watchers, self._regions, self._check = table, watchers, regions, check
        self._job, self._number = job, picture.number
        self._furthest, self._counted = picture.furthest, job.starts > 1
        self._known = {
            (each["peak"]["x"], each["peak"]["y"])
            for body in table.told(job.id, "regions", picture.number)
            for each in json.loads(body)["regions"]
        }

    def __call__(self, stage: str, done: int, total: int, note: str = "") -> None:
        """Records that rows are done. If the picture got further than before, earlier starts no longer count."""
        self._check()
        id, rows = self._job.id, done if stage == "rows" else total + done
        with self._table.transaction():
            further = rows > self._furthest
            self._furthest = max(rows, self._furthest)
            values = {"stage": stage, "done": done, "total": total, "furthest": self._furthest}
            self._table.change_picture(id, self._number, **values)
            if further and self._counted:
                self._table.change(id, starts=1)
                self._counted = False
            body = {"picture": self._number, "stage": stage, "done": done, "total": total}
            self._table.tell(id, "progress", json.dumps(body), self._number, instead=True)
        self._watchers.notify(id)

    def found(self, regions: Sequence[DefectRegion]) -> None:
        """Records regions. After a restart, they may be found again: their peaks tell, which no two regions share."""
        new = [each for each in regions if (each.peak[1], each.peak[0]) not in self._known]
        if not new:
            return
        self._known.update((each.peak[1], each.peak[0]) for each in new)
        with self._table.transaction():
            for first in range(0, len(new), REGIONS_PER_EVENT):
                part = self._regions(new[first : first + REGIONS_PER_EVENT])
                body = {"picture": self._number, "regions": part}
                self._table.tell(self._job.id, "regions", json.dumps(body), self._number)
            self._table.change_picture(self._job.id, self._number, regions=len(self._known))
