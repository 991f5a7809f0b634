"""The jobs that this server works on: it has a lease of each, and loses the job if it does not renew the lease."""

from collections.abc import Callable
from os import getpid
from secrets import token_hex
from socket import gethostname
from threading import Condition
from time import monotonic

from app.errors import JobsDatabaseUnavailable
from app.store import Job, JobTable, LeaseLost

WAIT_S = 1.0
"""How long a change waits before it is tried again while the database is away."""


class Stopped(Exception):
    """The server ends, and the job goes on when it is started again, or on another server."""


class Lost(Exception):
    """The job was cancelled or removed, or another server has it."""


class Leases:
    """The leases of this server. Any thread may call any method.

    Other servers may take a job when its lease is over. So this server stops its work on a job whose lease may be over
    until it has renewed it.
    """

    def __init__(self, table: JobTable, lease_s: float) -> None:
        self._table, self._lease_s = table, lease_s
        self._server = f"{gethostname()}/{getpid()}/{token_hex(4)}"
        self._changed = Condition()  # guards what follows
        self._held: dict[str, tuple[int, float]] = {}  # the fence of each job, and how long its lease holds at least
        self._lost: set[str] = set()
        self._later: dict[str, float] = {}  # when jobs that cannot run now are tried again
        self._queued = False  # whether a job was queued here since the last wait
        self._stopping = False

    @property
    def renew_s(self) -> float:
        """The interval of `renew`: so soon a server sees that another one has cancelled a job."""
        return min(1.0, self._lease_s / 4)

    @property
    def stopping(self) -> bool:
        return self._stopping

    def stop(self) -> None:
        """Stops the work on all jobs after their current bands."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()

    def wake(self) -> None:
        """A job was queued."""
        with self._changed:
            self._queued = True
            self._changed.notify_all()

    def wait(self, most_s: float) -> None:
        """Waits until a job is queued here, or the server stops, at most so long."""
        with self._changed:
            self._changed.wait_for(lambda: self._queued or self._stopping, most_s)
            self._queued = False

    def claim(self) -> Job | None:
        """The next job that this server may run; None: there is none. Raises JobsDatabaseUnavailable."""
        now = monotonic()
        with self._changed:
            self._later = {id: due for id, due in self._later.items() if due > now}
            but = {*self._later, *self._held}
        job = self._table.claim(self._server, self._lease_s, but)
        if job is not None:
            with self._changed:
                self._held[job.id] = job.fence, now + self._lease_s
        return job

    def renew(self) -> None:
        """Renews the leases, and notes which jobs are lost. Raises JobsDatabaseUnavailable."""
        with self._changed:
            held = {id: fence for id, (fence, _) in self._held.items()}
        if not held:
            return
        now = monotonic()
        kept = self._table.renew(self._server, self._lease_s)
        with self._changed:
            for id, fence in held.items():
                if self._held.get(id, (None,))[0] != fence:  # the work on it has ended meanwhile
                    continue
                if kept.get(id) == fence:
                    self._held[id] = fence, now + self._lease_s
                else:
                    self._lost.add(id)
            self._changed.notify_all()

    def lose(self, id: str) -> bool:
        """Stops the work on a job after its current band; returns whether this server works on it."""
        with self._changed:
            if id not in self._held:
                return False
            self._lost.add(id)
            self._changed.notify_all()
        return True

    def check(self, id: str) -> None:
        """Raises Lost or Stopped if the work on a job must stop. Waits while its lease may be over."""
        with self._changed:
            while True:
                self._require(id)
                if monotonic() < self._held[id][1]:
                    return
                self._changed.wait(WAIT_S)

    def change(self, job: Job, make: Callable[[], None]) -> None:
        """Changes a job that this server works on, in one transaction. Waits while the database is away.

        `make` may be called again after it has been committed, if the database's answer was lost. Raises Lost or
        Stopped.
        """
        while True:
            try:
                with self._table.held(job):
                    make()
                return
            except LeaseLost as error:
                self.lose(job.id)
                raise Lost from error
            except JobsDatabaseUnavailable:
                with self._changed:
                    self._require(job.id)
                    self._changed.wait(WAIT_S)
                    self._require(job.id)

    def end(self, id: str, later_s: float = 0.0) -> bool:
        """Notes that the work on a job has ended; `later_s`: when it may begin again. Returns whether it was lost."""
        with self._changed:
            lost = id in self._lost
            self._lost.discard(id)
            self._held.pop(id, None)
            if later_s:
                self._later[id] = monotonic() + later_s
        return lost

    def give_back(self) -> None:
        """Lets other servers take what this one has not ended. Raises JobsDatabaseUnavailable."""
        self._table.end_leases(self._server)

    def _require(self, id: str) -> None:
        if id in self._lost or id not in self._held:
            raise Lost
        if self._stopping:
            raise Stopped
