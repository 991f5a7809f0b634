import sqlite3
from pathlib import Path

import pytest

from app.events.event import Event
from app.events.outbox import Key, Outbox
from app.events.spool import ROW_BYTES, Spool
from tests.events.making import event


def waiting(outbox: Outbox) -> list[Event | None]:
    return [outbox.read(key) for key in outbox.keys(100)]


def test_events_wait_in_their_order_until_they_are_removed_also_in_the_next_process(tmp_path: Path) -> None:
    events = [event(number) for number in range(5)]
    first = Outbox(tmp_path / "queue", 10**6)
    assert first.put(events) == 0
    keys = first.keys(100)
    first.remove(keys[1])
    assert first.keys(100) == []
    del first  # as after SIGKILL: nothing is closed
    second = Outbox(tmp_path / "queue", 10**6)
    assert waiting(second) == [events[0], *events[2:]]
    assert second.count == 4


def test_an_event_that_waits_is_not_stored_twice(tmp_path: Path) -> None:
    outbox, one = Outbox(tmp_path / "queue", 10**6), event(1)
    outbox.put([one])
    outbox.put([one, event(2)])
    assert outbox.count == 2


def test_a_full_queue_drops_the_oldest_events(tmp_path: Path) -> None:
    events = [event(number, size=1000) for number in range(5)]
    room = sum(len(each.body) + ROW_BYTES for each in events[:3])
    outbox = Outbox(tmp_path / "queue", room)
    assert [outbox.put([each]) for each in events] == [0, 0, 0, 1, 1]
    assert waiting(outbox) == events[2:]


def test_removed_events_make_room(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "queue", len(event(0).body) + ROW_BYTES + 1)
    for number in range(3):
        assert spool.put([event(number)]) == 0
        spool.remove(spool.numbers(0, 10))
    assert (spool.count, spool.oldest_time()) == (0, None)


def test_while_the_disk_is_full_events_are_kept_in_memory_and_stored_at_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outbox, events = Outbox(tmp_path / "queue", 10**6), [event(number) for number in range(3)]
    outbox.put(events[:1])
    with monkeypatch.context() as patched:
        patched.setattr(outbox._disk, "put", lambda _: _raise(sqlite3.OperationalError("database or disk is full")))
        patched.setattr(outbox._disk, "remove", lambda _: _raise(sqlite3.OperationalError("database or disk is full")))
        outbox.put(events[1:])
        assert outbox.fault == "database or disk is full"
        assert waiting(outbox) == events
        outbox.remove(Key(1))  # the disk does not let go of it
        assert outbox.count == 2
    outbox.remove(Key(1, in_memory=True))
    outbox.close()
    assert Outbox(tmp_path / "queue", 10**6).count == 2  # the first, which is sent again, and the last
    assert waiting(Outbox(tmp_path / "queue", 10**6)) == [events[0], events[2]]


def test_a_damaged_queue_is_set_aside(tmp_path: Path) -> None:
    (tmp_path / "queue").write_bytes(b"no database " * 1000)
    outbox = Outbox(tmp_path / "queue", 10**6)
    outbox.put([event(1)])
    assert outbox.count == 1
    assert outbox.set_aside is not None
    assert outbox.set_aside.read_bytes().startswith(b"no database")


def _raise(error: Exception) -> int:
    raise error
