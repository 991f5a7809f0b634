"""Databases of servers before jobs could be shared go on."""

import sqlite3
from pathlib import Path

from app.store import DatabaseAddress, JobFolders, JobState, JobTable

FIRST = """
CREATE TABLE jobs (
    number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, owner TEXT NOT NULL, state TEXT NOT NULL,
    model TEXT NOT NULL, version INTEGER NOT NULL, digest TEXT NOT NULL, question TEXT NOT NULL,
    created_s REAL NOT NULL, changed_s REAL NOT NULL, expires_s REAL NOT NULL,
    reserved_bytes INTEGER NOT NULL, starts INTEGER NOT NULL
);
CREATE TABLE pictures (
    job TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE, number INTEGER NOT NULL,
    name TEXT NOT NULL, path TEXT, length INTEGER NOT NULL, offset INTEGER NOT NULL, state TEXT NOT NULL,
    height INTEGER, width INTEGER, stage TEXT NOT NULL, done INTEGER NOT NULL, total INTEGER NOT NULL,
    regions INTEGER NOT NULL, furthest INTEGER NOT NULL, code TEXT, message TEXT,
    PRIMARY KEY (job, number)
) WITHOUT ROWID;
CREATE TABLE events (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    job TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    picture INTEGER, type TEXT NOT NULL, body TEXT NOT NULL
);
CREATE INDEX jobs_by_state ON jobs (state);
CREATE INDEX events_by_job ON events (job);
INSERT INTO jobs VALUES (4, 'a', 'one', 'running', 'surface', 1, 'd', '{}', 1.5, 2.5, 3.5, 100, 1);
INSERT INTO pictures VALUES ('a', 0, 'a.tif', NULL, 9, 9, 'running', 30, 40, 'rows', 8, 30, 0, 8, NULL, NULL);
INSERT INTO events VALUES (7, 'a', NULL, 'state', '{"state": "running"}');
PRAGMA user_version=1;
"""


def test_a_database_of_schema_1_is_migrated(tmp_path: Path) -> None:
    path = tmp_path / "jobs.sqlite"
    before = sqlite3.connect(path)
    before.executescript(FIRST)
    before.close()
    for _ in range(2):  # the second time, it has been migrated
        table = JobTable(DatabaseAddress.of_file(path), JobFolders(tmp_path))
        found = table.get("a")
        assert found is not None and (found.owner, found.state, found.expires_s) == ("one", JobState.running, 3.5)
        assert (found.pictures[0].done, found.pictures[0].size) == (8, (30, 40))
        assert [each.number for each in table.events("a")] == [7]
        table.close()
    table = JobTable(DatabaseAddress.of_file(path), JobFolders(tmp_path))
    claimed = table.claim("server", 60.0)
    assert claimed is not None and (claimed.id, claimed.fence, claimed.starts) == ("a", 1, 2)
    table.tell("a", "state", "{}")
    assert table.latest(["a"]) == {"a": 8}
    table.remove("a")
    table.close()
    after = sqlite3.connect(path)
    assert after.execute("SELECT count(*) FROM pictures").fetchone() == (0,)
    assert after.execute("PRAGMA user_version").fetchone() == (2,)  # servers that know schema 1 only refuse it
    after.close()


def test_the_files_of_work_that_an_earlier_server_began_are_found(tmp_path: Path) -> None:
    folders = JobFolders(tmp_path)
    folders.make("a", 1)
    (folders.of("a", 0).folder / "work").mkdir()
    (folders.of("a", 0).folder / "work" / "checkpoint").write_text("rows")
    first = folders.begin("a", 0, 1)
    assert (first.work / "checkpoint").read_text() == "rows"
    second = folders.begin("a", 0, 2)
    assert (second.work / "checkpoint").read_text() == "rows" and not first.work.exists()
