"""The events that wait for one sink, in a SQLite database, so that they survive the process.

SQLite rather than a file of lines with a list of acknowledgements: events are acknowledged in any order, the space of
delivered events is used again, and a half-written record after a crash is the library's concern. A commit reaches the
system (not the disk) before it returns: it survives SIGKILL and takes some ten microseconds. `flush` reaches the disk.
"""

import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from threading import Lock

from app.events.event import Event
from app.files import flush

ROW_BYTES = 200
"""What an event takes besides its body."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS events (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    type TEXT NOT NULL,
    time TEXT NOT NULL,
    body BLOB NOT NULL
)
"""


class Spool:
    """Holds at most `most_bytes` of events; the oldest make room for new ones. Methods may be called from any thread.

    path: the file of the database; None: in memory only. A file that is no database is set aside.

    Methods raise sqlite3.Error or OSError if the disk is full or fails; then nothing has changed.
    """

    def __init__(self, path: Path | None, most_bytes: int) -> None:
        self._path, self._most = path, most_bytes
        self._lock = Lock()
        self.set_aside: Path | None = None
        try:
            self._connection = _opened(path)
        except sqlite3.DatabaseError as error:
            if path is None or isinstance(error, sqlite3.OperationalError):
                raise
            self.set_aside = _set_aside(path)
            self._connection = _opened(path)
        found = self._connection.execute("SELECT COUNT(*), COALESCE(SUM(LENGTH(body)), 0) FROM events").fetchone()
        self._count, self._bytes = int(found[0]), int(found[1]) + int(found[0]) * ROW_BYTES

    @property
    def count(self) -> int:
        """The number of events that wait."""
        return self._count

    def put(self, events: Sequence[Event]) -> int:
        """Appends events, except those whose id already waits; returns how many of the oldest were dropped for them."""
        with self._transaction() as connection:
            added = [each for each in events if _insert(connection, each)]
            count, size = self._count + len(added), self._bytes + sum(_size(each.body) for each in added)
            dropped = 0
            for number, length in self._oldest(size - self._most):
                connection.execute("DELETE FROM events WHERE number = ?", (number,))
                count, size, dropped = count - 1, size - length, dropped + 1
        self._count, self._bytes = count, size
        return dropped

    def numbers(self, after: int, most: int) -> list[int]:
        """The numbers of the next events after the number `after`, the oldest first."""
        with self._lock:
            rows = self._connection.execute(
                "SELECT number FROM events WHERE number > ? ORDER BY number LIMIT ?", (after, most)
            )
            return [int(number) for (number,) in rows]

    def read(self, number: int) -> Event | None:
        """The event of this number; None if it no longer waits."""
        with self._lock:
            row = self._connection.execute(
                "SELECT id, type, time, body FROM events WHERE number = ?", (number,)
            ).fetchone()
        return None if row is None else Event(*row)

    def remove(self, numbers: Iterable[int]) -> None:
        """Removes events; numbers that no longer wait are ignored."""
        with self._transaction() as connection:
            count, size = self._count, self._bytes
            for number in numbers:
                row = connection.execute("SELECT LENGTH(body) FROM events WHERE number = ?", (number,)).fetchone()
                if row is not None:
                    connection.execute("DELETE FROM events WHERE number = ?", (number,))
                    count, size = count - 1, size - row[0] - ROW_BYTES
        self._count, self._bytes = count, size

    def oldest_time(self) -> str | None:
        """The time of the oldest event that waits."""
        with self._lock:
            row = self._connection.execute("SELECT time FROM events ORDER BY number LIMIT 1").fetchone()
        return None if row is None else str(row[0])

    def flush(self) -> None:
        """Writes what was committed to the disk, so that it survives a loss of power."""
        if self._path is not None:
            flush(self._path.with_name(f"{self._path.name}-wal"))

    def close(self) -> None:
        with self._lock:
            self._connection.close()

    def _oldest(self, excess: int) -> Iterator[tuple[int, int]]:
        """The numbers and sizes of the oldest events, until they have `excess` bytes together."""
        if excess <= 0:
            return
        rows = self._connection.execute("SELECT number, LENGTH(body) FROM events ORDER BY number").fetchmany(10_000)
        for number, length in rows:
            yield number, length + ROW_BYTES
            excess -= length + ROW_BYTES
            if excess <= 0:
                return

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            connection = self._connection
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):  # SQLite has rolled back by itself after some errors
                    connection.execute("ROLLBACK")
                raise


def _opened(path: Path | None) -> sqlite3.Connection:
    connection = sqlite3.connect(path or ":memory:", check_same_thread=False, isolation_level=None)
    try:
        with closing(connection.execute("PRAGMA journal_mode=WAL")):
            pass
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.execute(_SCHEMA)
    except BaseException:
        connection.close()
        raise
    return connection


def _set_aside(path: Path) -> Path:
    aside = path.with_name(f"{path.name}.damaged-{time.time_ns()}")
    path.rename(aside)
    for ending in ("-wal", "-shm"):
        path.with_name(path.name + ending).unlink(missing_ok=True)
    return aside


def _insert(connection: sqlite3.Connection, event: Event) -> bool:
    values = (event.id, event.type, event.time, event.body)
    done = connection.execute("INSERT OR IGNORE INTO events (id, type, time, body) VALUES (?, ?, ?, ?)", values)
    return done.rowcount > 0


def _size(body: bytes) -> int:
    return len(body) + ROW_BYTES
