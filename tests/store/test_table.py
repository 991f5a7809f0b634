"""The table of jobs is the same in SQLite and in PostgreSQL."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from time import sleep, time

import pytest

from app.errors import InvalidJobs
from app.store import (
    ADMISSION,
    EXPIRY,
    DatabaseAddress,
    Event,
    JobFolders,
    JobState,
    JobTable,
    LeaseLost,
)
from tests.store.making import NOW, job

Open = Callable[[], JobTable]


@pytest.fixture(params=["sqlite", "postgresql"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> DatabaseAddress:
    if request.param == "sqlite":
        return DatabaseAddress.of_file(tmp_path / "jobs.sqlite")
    return DatabaseAddress.parse(request.getfixturevalue("database_server").database())


@pytest.fixture
def folders(tmp_path: Path) -> JobFolders:
    return JobFolders(tmp_path)


@pytest.fixture
def table(address: DatabaseAddress, folders: JobFolders) -> Iterator[JobTable]:
    opened = JobTable(address, folders)
    yield opened
    opened.close()


def test_a_job_is_read_as_it_was_written(table: JobTable) -> None:
    table.add(job("a"))
    assert table.get("a") == job("a") and table.get("b") is None


def test_jobs_are_listed_in_order(table: JobTable) -> None:
    for id, owner, state in (("c", "one", "queued"), ("a", "two", "done"), ("b", "one", "failed")):
        table.add(job(id, owner, JobState(state)))
    assert [each.id for each in table.newest(None, 2)] == ["b", "a"]
    assert [each.id for each in table.newest("one", 9)] == ["b", "c"]
    assert [each.id for each in table.in_state(JobState.done, JobState.queued)] == ["c", "a"]
    assert table.states() == {"a": JobState.done, "b": JobState.failed, "c": JobState.queued}
    counts = table.counts()
    assert (counts[JobState.queued], counts[JobState.running], sum(counts.values())) == (1, 0, 3)


def test_usage_counts_what_has_files(table: JobTable) -> None:
    assert table.usage("one") == (0, 0, None)
    table.add(job("a", reserved_bytes=5))
    table.add(job("b", state=JobState.done, reserved_bytes=2**41, expires_s=NOW + 7))
    table.add(job("c", state=JobState.cancelled, expires_s=NOW))
    table.add(job("d", "two"))
    assert table.usage("one") == (2, 5 + 2**41, NOW + 7)
    assert [each.id for each in table.due(NOW + 7)] == ["b", "c"]


def test_changes_apply_in_the_states_they_are_meant_for(table: JobTable) -> None:
    table.add(job("a"))
    assert table.change("a", only=(JobState.queued,), state=JobState.done, starts=2)
    assert not table.change("a", only=(JobState.queued,), state=JobState.failed)
    assert table.change_picture("a", 1, only={"offset": 7}, offset=2**40)
    assert not table.change_picture("a", 1, only={"offset": 7}, offset=8)
    found = table.get("a")
    assert found is not None and (found.state, found.starts, found.pictures[1].offset) == (JobState.done, 2, 2**40)


def test_a_transaction_is_made_as_a_whole(table: JobTable) -> None:
    table.add(job("a"))
    with pytest.raises(ZeroDivisionError), table.transaction():
        table.change("a", starts=9)
        table.tell("a", "state", "{}")
        assert table.get("a") != job("a")  # it sees its own changes
        raise ZeroDivisionError
    assert table.get("a") == job("a") and not table.events("a")


def test_events_rise_and_go_with_their_job(table: JobTable) -> None:
    table.add(job("a"))
    table.add(job("b"))
    for number in range(3):
        table.tell("a", "progress", f"{number}", 0, instead=True)
        table.tell("a", "regions", f"r{number}", 0)
        table.tell("a", "state", f"s{number}", instead=True)
    table.tell("b", "state", "other")
    table.tell("none", "state", "{}")
    found = table.events("a")
    assert [each.body for each in found] == ["r0", "r1", "2", "r2", "s2"]
    assert [each.number for each in found] == sorted(each.number for each in found)
    assert table.events("a", found[2].number, most=1) == [Event(found[3].number, "regions", "r2")]
    assert table.told("a", "regions", 0) == ["r0", "r1", "r2"] and table.told("a", "regions", 1) == []
    assert table.latest(["a", "none"]) == {"a": found[-1].number}
    table.remove("a")
    assert table.get("a") is None and not table.events("a") and table.events("b")


def test_a_job_is_claimed_once(table: JobTable) -> None:
    for id in "abcdefgh":
        table.add(job(id))
    begin = Barrier(4)

    def claim_all(server: str) -> list[str]:
        begin.wait()
        claimed = []
        while (found := table.claim(server, 60.0)) is not None:
            claimed.append(found.id)
        return claimed

    with ThreadPoolExecutor(4) as threads:
        claimed = list(threads.map(claim_all, "wxyz"))
    assert sorted(id for each in claimed for id in each) == list("abcdefgh")


def test_the_oldest_job_is_claimed_apart_from_those_that_wait(table: JobTable) -> None:
    for id in "cab":
        table.add(job(id))
    first = table.claim("one", 60.0, but={"c"})
    assert first is not None and (first.id, first.state, first.starts, first.fence) == ("a", JobState.running, 1, 1)
    assert abs(first.changed_s - time()) < 5


def test_a_lease_that_is_renewed_holds(table: JobTable) -> None:
    table.add(job("a"))
    claimed = table.claim("one", 0.5)
    assert claimed is not None
    for _ in range(4):
        sleep(0.2)
        assert table.renew("one", 0.5) == {"a": claimed.fence}
        assert table.claim("two", 0.5) is None
    with table.held(claimed):
        table.change("a", starts=5)


def test_who_lost_the_lease_writes_no_more(table: JobTable) -> None:
    table.add(job("a"))
    slow = table.claim("one", 0.1)
    assert slow is not None and table.claim("two", 60.0) is None
    sleep(0.15)
    second = table.claim("two", 60.0)
    assert second is not None and second.fence > slow.fence and second.starts == 2
    assert table.renew("one", 60.0) == {}
    with pytest.raises(LeaseLost), table.held(slow):
        table.change("a", state=JobState.done)
    with table.held(second):
        table.tell("a", "state", "{}")
    table.change("a", state=JobState.cancelled)
    with pytest.raises(LeaseLost), table.held(second):
        pass


def test_ended_leases_can_be_claimed_at_once(table: JobTable) -> None:
    table.add(job("a"))
    table.add(job("b"))
    table.claim("one", 60.0)
    table.claim("two", 60.0)
    table.end_leases("one")
    assert [found.id for found in iter(lambda: table.claim("three", 60.0), None)] == ["a"]
    table.end_leases(None)
    assert [found.id for found in iter(lambda: table.claim("three", 60.0), None)] == ["a", "b"]


def test_one_at_a_time_has_a_turn(address: DatabaseAddress, folders: JobFolders, table: JobTable) -> None:
    if not table.shared:
        pytest.skip("one server uses a SQLite database: its transactions wait for each other")
    other = JobTable(address, folders)
    order = []

    def admit() -> None:
        with other.turn(ADMISSION):
            order.append("second")

    with ThreadPoolExecutor(1) as thread:
        with table.turn(EXPIRY), other.turn(EXPIRY, wait=False) as had:
            assert not had
        with table.turn(EXPIRY):
            pass
        with other.turn(EXPIRY, wait=False) as had:
            assert had
        with table.turn(ADMISSION):
            waiting = thread.submit(admit)
            sleep(0.2)
            order.append("first")
        waiting.result()
    assert order == ["first", "second"]
    other.close()


def test_two_servers_make_the_tables_once(address: DatabaseAddress, folders: JobFolders) -> None:
    if not address.shared:
        pytest.skip("one server uses a SQLite database")
    with ThreadPoolExecutor(3) as threads:
        tables = [each.result() for each in [threads.submit(JobTable, address, folders) for _ in range(3)]]
    tables[0].add(job("a"))
    assert [each.get("a") for each in tables] == [job("a")] * 3
    for each in tables:
        each.close()


def test_tables_of_a_later_version_are_refused(address: DatabaseAddress, folders: JobFolders) -> None:
    table = JobTable(address, folders)
    with table.transaction() as connection:
        connection.exec_driver_sql("UPDATE properties SET value = '99' WHERE name = 'schema'")
    table.close()
    with pytest.raises(InvalidJobs, match=r"later version .*schema 99"):
        JobTable(address, folders)


def test_the_files_of_another_folder_are_refused(address: DatabaseAddress, folders: JobFolders, tmp_path: Path) -> None:
    JobTable(address, folders).close()
    with pytest.raises(InvalidJobs, match="may not be mounted"):
        JobTable(address, JobFolders(tmp_path / "empty"))
    other = DatabaseAddress.of_file(tmp_path / "other.sqlite")
    with pytest.raises(InvalidJobs, match="belong to another database"):
        JobTable(other, folders)
    JobTable(address, folders).close()
