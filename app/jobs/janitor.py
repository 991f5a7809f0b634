"""Removes what is over, and what a kill left."""

import json
from collections.abc import Callable
from contextlib import suppress

from app.jobs.leases import Leases
from app.jobs.watchers import Watchers
from app.store import EXPIRY, JobFolders, JobState, JobTable

ABANDONED_S = 3600.0
"""Files of a job that is not in the table are removed after so long: the job may be being made."""


class Janitor:
    """Removes files and entries of jobs. Other servers may do so at the same time."""

    def __init__(
        self,
        table: JobTable,
        folders: JobFolders,
        leases: Leases,
        watchers: Watchers,
        expiry_s: float,
        clock: Callable[[], float],
    ) -> None:
        self._table, self._folders, self._leases, self._watchers = table, folders, leases, watchers
        self._expiry_s, self._clock = expiry_s, clock

    def expire(self) -> None:
        """Removes what is over: first the files of a job, later also its entry.

        Raises JobsDatabaseUnavailable, and OSError if results stay.
        """
        now = self._clock()
        expired = []
        with self._table.turn(EXPIRY, wait=False) as own:
            for job in self._table.due(now) if own else ():
                if job.state is JobState.expired:
                    self._table.remove(job.id)
                    continue
                values = {"changed_s": now, "expires_s": now + self._expiry_s}
                if self._table.change(job.id, only=(job.state,), state=JobState.expired, **values):
                    self._table.tell(job.id, "state", json.dumps({"state": JobState.expired}))
                    expired.append(job.id)
        for id in expired:
            self.remove_files(id)
            self._watchers.notify(id)
        self._folders.remove_results()

    def remove_files(self, id: str) -> None:
        """Removes the files of a job now, or when this server has stopped its work on it."""
        if not self._leases.lose(id):
            self._folders.remove(id)

    def sweep(self) -> None:
        """Removes files of jobs that were being made or removed at a kill. Raises JobsDatabaseUnavailable, OSError."""
        there = self._folders.ids()  # before the states: the files of a job are made first
        states = self._table.states()
        for id in there:
            if id in states:
                gone = states[id] in (JobState.cancelled, JobState.expired)
            else:
                gone = False
                with suppress(FileNotFoundError):
                    gone = self._clock() - self._folders.changed_s(id) > ABANDONED_S
            if gone:
                self.remove_files(id)
