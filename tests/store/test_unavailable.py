"""A database that is away, or whose user lacks rights."""

import logging
import socket
from pathlib import Path
from time import monotonic

import pytest

from app.errors import InvalidJobs, JobsDatabaseUnavailable
from app.store import DatabaseAddress, JobFolders, JobState, JobTable
from tests.postgresql import PostgreSQL
from tests.store.making import job
from tests.waiting import wait_until

RIGHTS = """
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO limited;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO limited;
"""
PASSWORD = "hunter2"


def test_calls_do_not_wait_for_a_database_that_does_not_answer(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, database_server: PostgreSQL
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        address = f"postgresql://tessera@127.0.0.1:{port}/jobs?connect_timeout=2"
        with caplog.at_level(logging.WARNING):
            table = JobTable(DatabaseAddress.parse(address), JobFolders(tmp_path))
            started = monotonic()
            for _ in range(20):
                with pytest.raises(JobsDatabaseUnavailable):
                    table.get("a")
            assert monotonic() - started < 0.5 and table.failing
        table.close()
    (told,) = (record.getMessage() for record in caplog.records)
    assert f"127.0.0.1:{port}/jobs, cannot be used" in told and "tessera@" not in told


def test_the_user_needs_the_rights_that_are_documented(tmp_path: Path, database_server: PostgreSQL) -> None:
    owner = database_server.database()
    name = owner.partition("@/")[2].partition("?")[0]
    database_server.run(f"CREATE USER limited PASSWORD '{PASSWORD}'", name)
    password = tmp_path / "password"
    password.write_text(PASSWORD)
    address = DatabaseAddress.parse(f"{database_server.address(name, 'limited')}#password_file={password}")
    folders = JobFolders(tmp_path)
    with pytest.raises(InvalidJobs, match="rights") as refused:
        JobTable(address, folders)
    assert PASSWORD not in str(refused.value)
    JobTable(DatabaseAddress.parse(owner), folders).close()
    database_server.run(RIGHTS, name)
    table = JobTable(address, folders)
    table.add(job("a"))
    claimed = table.claim("one", 60.0)
    assert claimed is not None
    with table.held(claimed):
        table.tell("a", "state", "{}")
        table.change("a", state=JobState.done)
    table.remove("a")
    table.close()
    password.write_text("wrong")
    again = JobTable(address, folders)  # no error at the start: it may be right later
    with pytest.raises(JobsDatabaseUnavailable):
        again.get("a")
    again.close()


def test_the_rights_are_documented() -> None:
    text = (Path(__file__).parent.parent.parent / "docs/operations.md").read_text()
    assert all(line.replace("limited", "tessera") in text for line in RIGHTS.strip().splitlines())


def test_a_database_that_is_back_is_used_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, database_server: PostgreSQL
) -> None:
    table = JobTable(DatabaseAddress.parse(database_server.database()), JobFolders(tmp_path))
    table.add(job("a"))
    database_server.stop()
    try:
        with caplog.at_level(logging.WARNING), pytest.raises(JobsDatabaseUnavailable):
            table.get("a")
    finally:
        database_server.start()
    wait_until(lambda: _is_there(table))
    assert len(caplog.records) == 2 and not table.failing
    table.close()


def _is_there(table: JobTable) -> bool:
    try:
        return table.get("a") == job("a")
    except JobsDatabaseUnavailable:
        return False
