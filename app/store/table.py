"""The table of jobs, in a database. Each change is on the disk when the call returns."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from threading import local
from typing import Any

from sqlalchemy import (
    Connection,
    RowMapping,
    Select,
    and_,
    case,
    cast,
    delete,
    extract,
    func,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.types import Double

from app.errors import InvalidJobs, JobsDatabaseUnavailable
from app.store.address import DatabaseAddress
from app.store.database import Contents, Database
from app.store.folder_id import bind_folder
from app.store.folders import JobFolders
from app.store.job import ENDED, Event, Job, JobState
from app.store.properties import properties
from app.store.rows import job_of_rows, job_row, picture_row
from app.store.schema import FOLDER, events, jobs, make_tables, pictures

_NOW_S = {
    "sqlite": cast((func.julianday("now") - 2440587.5) * 86400.0, Double),
    "postgresql": cast(extract("epoch", func.clock_timestamp()), Double),
}
"""The clock of the database, in seconds since 1970: leases must not depend on the clocks of the servers."""

_JOBS = Contents(
    "jobs",
    InvalidJobs,
    JobsDatabaseUnavailable,
    "jobs that were accepted are kept, and go on when it is back",
)


class LeaseLost(Exception):
    """The server no longer has the job: another one has it, it has ended, or it was removed."""


class JobTable:
    """The jobs of the servers that use a database. Any thread may call any method.

    Calls of a thread within `transaction`, `held` or `turn` belong to its transaction. Methods raise
    JobsDatabaseUnavailable. The constructor raises InvalidJobs for a database that cannot be used, that is of a later
    version, or whose files are not in `folders`; a database that is away is no error: it is tried again.
    """

    def __init__(self, address: DatabaseAddress, folders: JobFolders) -> None:
        def prepare(connection: Connection) -> None:
            make_tables(connection, address.name)
            bind_folder(connection, FOLDER, folders.id, address.name, _JOBS, "jobs_dir")

        self.shared = address.shared
        self._database = Database(address, _JOBS, prepare)
        self._now_s = _NOW_S[address.url.get_backend_name()]
        self._thread = local()
        self._database.start(f"move it away, and the file {folders.id.path} with it")

    @property
    def failing(self) -> bool:
        """Whether the database cannot be used at present."""
        return self._database.failing

    def close(self) -> None:
        self._database.close()

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Makes all changes of the `with` block, or none."""
        current: Connection | None = getattr(self._thread, "connection", None)
        if current is not None:
            yield current
            return
        with self._database.begin() as connection:
            self._thread.connection = connection
            try:
                yield connection
            finally:
                self._thread.connection = None

    @contextmanager
    def turn(self, name: str, *, wait: bool = True) -> Iterator[bool]:
        """A transaction that one server at a time has: ADMISSION or EXPIRY.

        Yields whether this one has the turn; without `wait`, another server may have it.
        """
        row = select(properties.c.value).where(properties.c.name == name).with_for_update(skip_locked=not wait)
        with self.transaction() as connection:
            yield connection.scalar(row) is not None

    @contextmanager
    def held(self, job: Job) -> Iterator[None]:
        """A transaction of the server that has claimed this job. Raises LeaseLost if it has lost the job since."""
        with self.transaction() as connection:
            own = and_(jobs.c.id == job.id, jobs.c.fence == job.fence, jobs.c.state == JobState.running)
            if connection.scalar(select(jobs.c.id).where(own).with_for_update()) is None:
                raise LeaseLost(job.id)
            yield

    def lock(self, id: str) -> bool:
        """Keeps other transactions from changing a job until this one ends; returns whether there is such a job."""
        with self.transaction() as connection:
            return connection.scalar(select(jobs.c.id).where(jobs.c.id == id).with_for_update()) is not None

    def claim(self, server: str, lease_s: float, but: Collection[str] = ()) -> Job | None:
        """Gives a server a lease of the oldest job that waits, or whose lease is over, apart from the jobs `but`."""
        over = and_(jobs.c.state == JobState.running, jobs.c.lease_s < self._now_s)
        free = and_(or_(jobs.c.state == JobState.queued, over), jobs.c.id.not_in(tuple(but)))
        oldest = select(jobs.c.id).where(free).order_by(jobs.c.number).limit(1).with_for_update(skip_locked=True)
        with self.transaction() as connection:
            id = connection.scalar(oldest)
            if id is None:
                return None
            claimed = {"server": server, "lease_s": self._now_s + lease_s, "fence": jobs.c.fence + 1}
            begun = {"state": JobState.running, "starts": jobs.c.starts + 1, "changed_s": self._now_s}
            connection.execute(update(jobs).where(jobs.c.id == id).values(claimed | begun))
            return self.get(id)

    def renew(self, server: str, lease_s: float) -> dict[str, int]:
        """Extends the leases of a server; returns the fences of its jobs by their ids."""
        own = and_(jobs.c.server == server, jobs.c.state == JobState.running)
        longer = update(jobs).where(own).values(lease_s=self._now_s + lease_s).returning(jobs.c.id, jobs.c.fence)
        with self.transaction() as connection:
            return {row["id"]: int(row["fence"]) for row in connection.execute(longer).mappings()}

    def end_leases(self, server: str | None) -> None:
        """Lets the jobs of a server (None: of all) that are running be claimed."""
        own = jobs.c.state == JobState.running
        with self.transaction() as connection:
            own = own if server is None else and_(own, jobs.c.server == server)
            connection.execute(update(jobs).where(own).values(lease_s=0.0))

    def add(self, job: Job) -> None:
        with self.transaction() as connection:
            connection.execute(insert(jobs), job_row(job))
            connection.execute(insert(pictures), [picture_row(job.id, each) for each in job.pictures])

    def get(self, id: str) -> Job | None:
        return next(iter(self._jobs(select(jobs).where(jobs.c.id == id))), None)

    def newest(self, owner: str | None, most: int) -> list[Job]:
        """The newest jobs of an owner (None: of all), the newest first."""
        found = select(jobs).order_by(jobs.c.number.desc()).limit(most)
        return self._jobs(found if owner is None else found.where(jobs.c.owner == owner))

    def in_state(self, *states: JobState) -> list[Job]:
        """The jobs in these states, the oldest first."""
        return self._jobs(select(jobs).where(jobs.c.state.in_(states)).order_by(jobs.c.number))

    def states(self) -> dict[str, JobState]:
        """The states of all jobs by their ids."""
        return {row["id"]: JobState(row["state"]) for row in self._rows(select(jobs.c.id, jobs.c.state))}

    def due(self, now_s: float) -> list[Job]:
        """The jobs whose time is over."""
        ending = jobs.c.state.in_((*ENDED, JobState.uploading))
        return self._jobs(select(jobs).where(ending, jobs.c.expires_s <= now_s).order_by(jobs.c.number))

    def usage(self, owner: str) -> tuple[int, int, float | None]:
        """Of the jobs of an owner that have files: their number, the bytes reserved, and the next time one expires."""
        active = jobs.c.state.in_((JobState.queued, JobState.running))
        soonest = func.min(case((active, None), else_=jobs.c.expires_s))
        counted = func.count().label("number"), func.coalesce(func.sum(jobs.c.reserved_bytes), 0).label("reserved")
        gone = jobs.c.state.in_((JobState.expired, JobState.cancelled))
        (row,) = self._rows(select(*counted, soonest.label("soonest")).where(jobs.c.owner == owner, ~gone))
        return int(row["number"]), int(row["reserved"]), row["soonest"]

    def counts(self) -> dict[JobState, int]:
        """The number of jobs in each state."""
        rows = self._rows(select(jobs.c.state, func.count().label("number")).group_by(jobs.c.state))
        found = {row["state"]: int(row["number"]) for row in rows}
        return {state: found.get(state, 0) for state in JobState}

    def change(self, id: str, *, only: Iterable[JobState] = JobState, **values: object) -> bool:
        """Sets columns of a job if it is in one of the states `only`; returns whether it was."""
        with self.transaction() as connection:
            chosen = update(jobs).where(jobs.c.id == id, jobs.c.state.in_(tuple(only)))
            return connection.execute(chosen.values(values)).rowcount > 0

    def change_picture(
        self, id: str, number: int, *, only: Mapping[str, object] | None = None, **values: object
    ) -> bool:
        """Sets columns of a picture if those of `only` have these values; returns whether they had."""
        with self.transaction() as connection:
            chosen = update(pictures).where(pictures.c.job == id, pictures.c.number == number)
            for name, value in (only or {}).items():
                chosen = chosen.where(pictures.c[name] == value)
            return connection.execute(chosen.values(values)).rowcount > 0

    def remove(self, id: str) -> None:
        """Forgets a job, with its pictures and events."""
        with self.transaction() as connection:
            connection.execute(delete(jobs).where(jobs.c.id == id))

    def tell(self, id: str, type: str, body: str, picture: int | None = None, *, instead: bool = False) -> None:
        """Adds an event; `instead` of earlier ones of this type and picture. Nothing happens without the job."""
        with self.transaction() as connection:
            if not self.lock(id):  # and so the events of a job are committed in the order of their numbers
                return
            if instead:
                same = and_(events.c.job == id, events.c.type == type, events.c.picture.is_not_distinct_from(picture))
                connection.execute(delete(events).where(same))
            connection.execute(insert(events).values(job=id, picture=picture, type=type, body=body))

    def events(self, id: str, after: int = 0, most: int = 1000) -> list[Event]:
        """The next events of a job after the number `after`, the oldest first."""
        columns = events.c.number, events.c.type, events.c.body
        chosen = select(*columns).where(events.c.job == id, events.c.number > after)
        return [Event(**row) for row in self._rows(chosen.order_by(events.c.number).limit(most))]

    def latest(self, ids: Collection[str]) -> dict[str, int]:
        """The numbers of the latest events of these jobs by their ids."""
        chosen = select(events.c.job, func.max(events.c.number).label("last")).where(events.c.job.in_(tuple(ids)))
        return {row["job"]: int(row["last"]) for row in self._rows(chosen.group_by(events.c.job))}

    def told(self, id: str, type: str, picture: int) -> list[str]:
        """The bodies of all events of a type and picture."""
        same = and_(events.c.job == id, events.c.type == type, events.c.picture == picture)
        return [str(row["body"]) for row in self._rows(select(events.c.body).where(same).order_by(events.c.number))]

    def _jobs(self, chosen: Select[Any]) -> list[Job]:
        with self._reading() as connection:
            rows = connection.execute(chosen).mappings().all()
            ids = [str(row["id"]) for row in rows]
            own = select(pictures).where(pictures.c.job.in_(ids)).order_by(pictures.c.job, pictures.c.number)
            found = defaultdict[str, list[RowMapping]](list)
            for each in connection.execute(own).mappings() if ids else ():
                found[each["job"]].append(each)
        return [job_of_rows(row, found[id]) for row, id in zip(rows, ids, strict=True)]

    def _rows(self, chosen: Select[Any]) -> list[RowMapping]:
        with self._reading() as connection:
            return list(connection.execute(chosen).mappings())

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        current: Connection | None = getattr(self._thread, "connection", None)
        if current is not None:
            yield current
            return
        with self._database.begin(writing=False) as connection:
            yield connection
