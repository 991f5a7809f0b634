"""The table of jobs, in a SQLite database. Each change is on the disk when the call returns."""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import RLock
from typing import Any

from app.errors import InvalidJobs
from app.store.job import ENDED, Event, Job, JobPicture, JobState, Problem

SCHEMA = 1
"""The version of the tables; a database of a later one is refused."""

_TABLES = """
CREATE TABLE IF NOT EXISTS jobs (
    number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, owner TEXT NOT NULL, state TEXT NOT NULL,
    model TEXT NOT NULL, version INTEGER NOT NULL, digest TEXT NOT NULL, question TEXT NOT NULL,
    created_s REAL NOT NULL, changed_s REAL NOT NULL, expires_s REAL NOT NULL,
    reserved_bytes INTEGER NOT NULL, starts INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS pictures (
    job TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE, number INTEGER NOT NULL,
    name TEXT NOT NULL, path TEXT, length INTEGER NOT NULL, offset INTEGER NOT NULL, state TEXT NOT NULL,
    height INTEGER, width INTEGER, stage TEXT NOT NULL, done INTEGER NOT NULL, total INTEGER NOT NULL,
    regions INTEGER NOT NULL, furthest INTEGER NOT NULL, code TEXT, message TEXT,
    PRIMARY KEY (job, number)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS events (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    job TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    picture INTEGER, type TEXT NOT NULL, body TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS jobs_by_state ON jobs (state);
CREATE INDEX IF NOT EXISTS events_by_job ON events (job);
"""
_JOB = "id, owner, state, model, version, digest, question, created_s, changed_s, expires_s, reserved_bytes, starts"
_PICTURE = (
    "number, name, path, length, offset, state, height, width, stage, done, total, regions, furthest, code, message"
)


class JobTable:
    """The jobs of a server. Methods may be called from any thread; they raise sqlite3.Error if the disk fails.

    Raises InvalidJobs for a file that is no such database, or one of a later schema.
    """

    def __init__(self, path: Path) -> None:
        self._lock = RLock()
        try:
            self._connection = _opened(path)
        except sqlite3.Error as error:
            raise InvalidJobs(f"{path} cannot be used as the table of jobs: {error}; move it away") from error

    def close(self) -> None:
        with self._lock:
            self._connection.close()

    def add(self, job: Job) -> None:
        with self.transaction() as connection:
            values = (job.id, job.owner, job.state, job.model, job.version, job.digest, job.question)
            numbers = (job.created_s, job.changed_s, job.expires_s, job.reserved_bytes, job.starts)
            connection.execute(f"INSERT INTO jobs ({_JOB}) VALUES ({_marks(12)})", (*values, *numbers))
            for each in job.pictures:
                row = (job.id, *_row(each))
                connection.execute(f"INSERT INTO pictures (job, {_PICTURE}) VALUES ({_marks(16)})", row)

    def get(self, id: str) -> Job | None:
        return next(iter(self._jobs("WHERE id = ?", id)), None)

    def newest(self, owner: str | None, most: int) -> list[Job]:
        """The newest jobs of an owner (None: of all), the newest first."""
        if owner is None:
            return self._jobs("ORDER BY number DESC LIMIT ?", most)
        return self._jobs("WHERE owner = ? ORDER BY number DESC LIMIT ?", owner, most)

    def in_state(self, *states: JobState) -> list[Job]:
        """The jobs in these states, the oldest first."""
        return self._jobs(f"WHERE state IN ({_marks(len(states))}) ORDER BY number", *states)

    def due(self, now_s: float) -> list[Job]:
        """The jobs whose time is over."""
        states = (*ENDED, JobState.uploading)
        return self._jobs(f"WHERE state IN ({_marks(len(states))}) AND expires_s <= ?", *states, now_s)

    def usage(self, owner: str) -> tuple[int, int, float | None]:
        """Of the jobs of an owner that have files: their number, the bytes reserved, and the next time one expires."""
        with self._lock:
            count, reserved, soonest = self._connection.execute(
                "SELECT COUNT(*), COALESCE(SUM(reserved_bytes), 0), "
                "MIN(CASE WHEN state IN ('queued', 'running') THEN NULL ELSE expires_s END) "
                "FROM jobs WHERE owner = ? AND state NOT IN ('expired', 'cancelled')",
                (owner,),
            ).fetchone()
        return int(count), int(reserved), soonest

    def counts(self) -> dict[JobState, int]:
        """The number of jobs in each state."""
        with self._lock:
            found = dict(self._connection.execute("SELECT state, COUNT(*) FROM jobs GROUP BY state"))
        return {state: found.get(state, 0) for state in JobState}

    def change(self, id: str, *, only: Iterable[JobState] = JobState, **values: object) -> bool:
        """Sets columns of a job if it is in one of the states `only`; returns whether it was."""
        names, states = ", ".join(f"{name} = ?" for name in values), tuple(only)
        with self._lock:
            done = self._connection.execute(
                f"UPDATE jobs SET {names} WHERE id = ? AND state IN ({_marks(len(states))})",
                (*values.values(), id, *states),
            )
        return done.rowcount > 0

    def change_picture(self, id: str, number: int, **values: object) -> None:
        """Sets columns of a picture."""
        names = ", ".join(f"{name} = ?" for name in values)
        with self._lock:
            self._connection.execute(
                f"UPDATE pictures SET {names} WHERE job = ? AND number = ?", (*values.values(), id, number)
            )

    def remove(self, id: str) -> None:
        """Forgets a job, with its pictures and events."""
        with self._lock:
            self._connection.execute("DELETE FROM jobs WHERE id = ?", (id,))

    def tell(self, id: str, type: str, body: str, picture: int | None = None, *, instead: bool = False) -> None:
        """Adds an event; `instead` of earlier ones of this type and picture. Nothing happens without the job."""
        with self.transaction() as connection:
            if instead:
                values = (id, type, picture)
                connection.execute("DELETE FROM events WHERE job = ? AND type = ? AND picture IS ?", values)
            connection.execute(
                "INSERT INTO events (job, picture, type, body) SELECT id, ?, ?, ? FROM jobs WHERE id = ?",
                (picture, type, body, id),
            )

    def events(self, id: str, after: int = 0, most: int = 1000) -> list[Event]:
        """The next events of a job after the number `after`, the oldest first."""
        with self._lock:
            rows = self._connection.execute(
                "SELECT number, type, body FROM events WHERE job = ? AND number > ? ORDER BY number LIMIT ?",
                (id, after, most),
            ).fetchall()
        return [Event(*row) for row in rows]

    def told(self, id: str, type: str, picture: int) -> list[str]:
        """The bodies of all events of a type and picture."""
        with self._lock:
            rows = self._connection.execute(
                "SELECT body FROM events WHERE job = ? AND type = ? AND picture = ? ORDER BY number",
                (id, type, picture),
            ).fetchall()
        return [str(body) for (body,) in rows]

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Makes all changes of the `with` block, or none; other threads wait."""
        with self._lock:
            if self._connection.in_transaction:
                yield self._connection
                return
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):  # SQLite has rolled back by itself after some errors
                    self._connection.execute("ROLLBACK")
                raise

    def _jobs(self, condition: str, *values: object) -> list[Job]:
        with self._lock:
            rows = self._connection.execute(f"SELECT {_JOB} FROM jobs {condition}", values).fetchall()
            return [self._job(row) for row in rows]

    def _job(self, row: tuple[Any, ...]) -> Job:
        rows = self._connection.execute(f"SELECT {_PICTURE} FROM pictures WHERE job = ? ORDER BY number", (row[0],))
        id, owner, state, model, version, digest, question, created, changed, expires, reserved, starts = row
        artifact, times = (model, version, digest, question), (created, changed, expires)
        return Job(id, owner, JobState(state), *artifact, *times, reserved, starts, tuple(map(_picture, rows)))


def _opened(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
    try:
        (found,) = connection.execute("PRAGMA user_version").fetchone()
        if found > SCHEMA:
            raise InvalidJobs(
                f"{path} was written by a later version of Tessera (schema {found}, and this one knows {SCHEMA}); "
                "serve it by that version, or name another jobs_dir"
            )
        connection.execute("PRAGMA journal_mode=WAL").close()
        connection.execute("PRAGMA synchronous=FULL")  # a job that was accepted survives a loss of power
        connection.execute("PRAGMA foreign_keys=ON")
        connection.executescript(_TABLES)
        connection.execute(f"PRAGMA user_version={SCHEMA}")
    except BaseException:
        connection.close()
        raise
    return connection


def _marks(count: int) -> str:
    return ", ".join("?" * count)


def _row(picture: JobPicture) -> tuple[object, ...]:
    height, width = picture.size or (None, None)
    code, message = (picture.problem.code, picture.problem.message) if picture.problem else (None, None)
    file = (picture.number, picture.name, picture.path, picture.length, picture.offset, picture.state, height, width)
    return (*file, picture.stage, picture.done, picture.total, picture.regions, picture.furthest, code, message)


def _picture(row: tuple[Any, ...]) -> JobPicture:
    number, name, path, length, offset, state, height, width, stage, done, total, regions, furthest, code, message = row
    size = None if height is None else (height, width)
    problem = None if code is None else Problem(code, message)
    file = number, name, path, length, offset, JobState(state), size
    return JobPicture(*file, stage, done, total, regions, furthest, problem)
