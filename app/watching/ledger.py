"""The record of the pictures of a watched folder, in a SQLite database, so that a restart goes on."""

import os
import sqlite3
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from app.watching.scan import Seen

_SCHEMA = """
CREATE TABLE IF NOT EXISTS pictures (
    number INTEGER PRIMARY KEY,
    name TEXT NOT NULL, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, sha256 TEXT NOT NULL,
    result TEXT NOT NULL, event TEXT NOT NULL, tries INTEGER NOT NULL, state TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS by_name ON pictures (name);
CREATE INDEX IF NOT EXISTS by_digest ON pictures (sha256);
CREATE INDEX IF NOT EXISTS by_result ON pictures (result);
"""
_COLUMNS = "number, name, size, mtime_ns, sha256, result, event, tries, state"


class State(StrEnum):
    """begun: in work, or the program ended meanwhile; done: predicted; aside: it cannot be predicted."""

    begun = "begun"
    done = "done"
    aside = "aside"


@dataclass(frozen=True, slots=True)
class Record:
    """A picture of the ledger.

    result: the path of its results below the output, without suffix
    event: the id of its verdict, the same when it is predicted again after a kill
    tries: how often its prediction was begun
    """

    number: int
    name: str
    size: int
    mtime_ns: int
    sha256: str
    result: str
    event: str
    tries: int
    state: State


class Ledger:
    """Remembers pictures. Methods raise sqlite3.Error if the disk is full or fails."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None)
        self._connection.execute("PRAGMA journal_mode=WAL").close()
        self._connection.execute("PRAGMA synchronous=NORMAL")
        self._connection.executescript(_SCHEMA)

    def of(self, seen: Seen) -> Record | None:
        """The record of this very file, by name, size and time, without reading it."""
        return self._last("name = ? AND size = ? AND mtime_ns = ?", _kept(seen.name), seen.size, seen.mtime_ns)

    def same(self, seen: Seen, sha256: str) -> Record | None:
        """The record of a finished picture of this content that has the name or the time of this file.

        So a file that was moved, or whose time of change was set, is not done twice. A new picture with equal bytes has
        another name and another time.
        """
        return self._last(
            "sha256 = ? AND state != 'begun' AND (name = ? OR mtime_ns = ?)", sha256, _kept(seen.name), seen.mtime_ns
        )

    def is_taken(self, result: str) -> bool:
        """Whether a picture has its results there."""
        return self._last("result = ?", _kept(result)) is not None

    def drop_unfinished(self, name: str) -> None:
        """Removes pictures of this name that were never finished, because the file is another one now."""
        self._connection.execute("DELETE FROM pictures WHERE name = ? AND state = 'begun'", (_kept(name),))

    def begin(self, seen: Seen, sha256: str, result: str, event: str, state: State = State.begun) -> Record:
        """Adds a picture."""
        values = (_kept(seen.name), seen.size, seen.mtime_ns, sha256, _kept(result), event, 1, state)
        added = self._connection.execute(
            "INSERT INTO pictures (name, size, mtime_ns, sha256, result, event, tries, state) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            values,
        )
        return Record(added.lastrowid or 0, seen.name, seen.size, seen.mtime_ns, sha256, result, event, 1, state)

    def rename(self, record: Record, result: str) -> Record:
        """Gives the results of a picture another name."""
        self._connection.execute("UPDATE pictures SET result = ? WHERE number = ?", (_kept(result), record.number))
        return replace(record, result=result)

    def begin_again(self, record: Record) -> None:
        """Counts one more try."""
        self._connection.execute("UPDATE pictures SET tries = tries + 1 WHERE number = ?", (record.number,))

    def withdraw(self, record: Record) -> None:
        """Takes back a try that did not fail because of the picture."""
        self._connection.execute("UPDATE pictures SET tries = tries - 1 WHERE number = ?", (record.number,))

    def finish(self, record: Record, state: State) -> None:
        self._connection.execute("UPDATE pictures SET state = ? WHERE number = ?", (state, record.number))

    def close(self) -> None:
        self._connection.close()

    def _last(self, condition: str, *values: object) -> Record | None:
        row = self._connection.execute(
            f"SELECT {_COLUMNS} FROM pictures WHERE {condition} ORDER BY number DESC LIMIT 1",
            values,
        ).fetchone()
        if row is None:
            return None
        number, name, size, mtime_ns, sha256, result, event, tries, state = row
        return Record(number, _name(name), size, mtime_ns, sha256, _name(result), event, tries, State(state))


def _kept(name: str) -> str | bytes:
    """A name as the database keeps it: SQLite has no texts that are not UTF-8, so that such a name is kept as bytes."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return os.fsencode(name)
    return name


def _name(kept: str | bytes) -> str:
    return os.fsdecode(kept) if isinstance(kept, bytes) else kept
