"""Sees what happens to jobs on other servers."""

from app.jobs.watchers import Watchers
from app.store import JobTable


class Follower:
    """Wakes the clients that follow jobs. One thread calls `look` at an interval, however many clients there are."""

    def __init__(self, table: JobTable, watchers: Watchers) -> None:
        self._table, self._watchers = table, watchers
        self._seen: dict[str, int] = {}  # the latest event of each job that is followed

    def look(self) -> None:
        """Wakes those who follow a job that has new events, or that was removed. Raises JobsDatabaseUnavailable."""
        followed = self._watchers.ids()
        latest = self._table.latest(followed) if followed else {}
        for id in followed:
            if latest.get(id) != self._seen.get(id):
                self._watchers.notify(id)
        self._seen = latest
