import json
import logging
from pathlib import Path

import pytest

from app.application import build_app
from app.errors import InvalidSink, NotDelivered
from app.events import Event, Outlets, parse_addresses, sinks_of
from app.events.delivery import Delivery
from app.events.folder import FolderSink
from app.events.outbox import Outbox
from app.settings import Settings
from tests.events.conftest import Counted
from tests.events.making import event
from tests.waiting import wait_until


def numbers(folder: Path) -> set[int]:
    return {json.loads(path.read_text())["number"] for path in folder.glob("*/*.json")}


def test_two_processes_cannot_use_one_spool_folder(tmp_path: Path, counted: Counted) -> None:
    sinks = sinks_of(f"folder:{tmp_path}/told")
    first = Outlets(sinks, tmp_path / "spool", 10**6, counted)
    with pytest.raises(InvalidSink, match="another process uses the spool folder"):
        Outlets(sinks, tmp_path / "spool", 10**6, counted)
    first.stop()
    Outlets(sinks, tmp_path / "spool", 10**6, counted).stop()


def test_a_sink_that_fails_does_not_hold_up_another_and_a_full_queue_is_counted(
    tmp_path: Path, counted: Counted, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    sinks = sinks_of(f"folder:{tmp_path}/told, folder:{tmp_path}/file")
    (tmp_path / "file").touch()
    outlets = Outlets(sinks, tmp_path / "spool", 5000, counted)
    outlets.start()
    for number in range(20):
        outlets.tell(event(number, size=1000)).result()
        wait_until(lambda: counted.delivered > number)  # noqa: B023 - called at once
    assert numbers(tmp_path / "told") == set(range(20))
    waiting = {each.sink: each.count for each in outlets.waiting()}
    assert waiting == {f"folder:{tmp_path}/told": 0, f"folder:{tmp_path}/file": 3}
    assert counted.dropped == [("full", 1)] * 17
    assert "takes no event" in caplog.text and "is full" in caplog.text
    outlets.stop()


def test_a_sink_that_fails_half_of_the_time_has_two_lines_a_minute_in_the_log(
    tmp_path: Path, counted: Counted, caplog: pytest.LogCaptureFixture
) -> None:
    clock_s = 0.0
    (sink,) = sinks_of(f"folder:{tmp_path}/told").values()
    delivery = Delivery(sink, Outbox(tmp_path / "queue", 10**6), counted, lambda: clock_s)
    with caplog.at_level(logging.INFO, "tessera.events"):
        for minute in range(2):
            clock_s = 60.0 * minute
            for number in range(10):
                delivery.outbox.put([event(number)])
                (key,) = delivery.outbox.keys(1)
                delivery._window.add(key)
                delivery._failed(key, "busy", None)
                delivery._delivered(key, there=True)
    first, second, third, fourth = caplog.messages
    assert "takes no event: busy; 1 attempts failed" in first and "10 attempts failed" in third
    assert "takes events again" in second and "takes events again" in fourth


def test_a_sink_with_a_fault_of_its_own_is_tried_again(
    tmp_path: Path, counted: Counted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.events.backoff.FIRST_S", 0.01)
    send, failures = FolderSink.send, iter((ValueError("a fault"), NotDelivered("later", 0.01)))

    def failing(self: FolderSink, one: Event) -> None:
        if (error := next(failures, None)) is not None:
            raise error
        send(self, one)

    monkeypatch.setattr(FolderSink, "send", failing)
    outlets = Outlets(sinks_of(f"folder:{tmp_path}/told"), tmp_path / "spool", 10**6, counted)
    outlets.start()
    outlets.tell(event(7)).result()
    outlets.wait_until_delivered(10)
    outlets.stop()
    assert (numbers(tmp_path / "told"), counted.failed) == ({7}, 2)


@pytest.mark.parametrize("left", ["nothing", "other"])
def test_empty_queues_of_removed_sinks_are_removed_and_others_are_named(
    tmp_path: Path, counted: Counted, caplog: pytest.LogCaptureFixture, left: str
) -> None:
    spool, blocked = tmp_path / "spool", tmp_path / "blocked"
    outlets = Outlets(sinks_of(f"folder:{tmp_path}/told, folder:{blocked}"), spool, 10**6, counted)
    blocked.touch()  # this sink takes nothing
    outlets.start()
    outlets.tell(event(1)).result()
    wait_until(lambda: counted.delivered == 1 and counted.failed >= 1)
    outlets.stop()
    foreign = [spool / "mine.sqlite", spool / "folder-0123456789ab.sqlite"]
    for path in foreign:
        path.write_text("another program's file")
    before = set(spool.glob("*"))
    Outlets(sinks_of(f"folder:{tmp_path}/other" if left == "other" else ""), spool, 10**6, counted).stop()
    (removed,) = before - set(spool.glob("*"))
    assert removed.name == f"{parse_addresses(f'folder:{tmp_path}/told')[0].key}.sqlite"
    warnings = [each.getMessage() for each in caplog.records if "does not name" in each.message and each.levelno >= 30]
    assert [path.read_text() for path in foreign] == ["another program's file"] * 2
    unreadable, waiting = sorted(warnings, key=lambda each: "events wait" in each)
    assert "0123456789ab.sqlite" in unreadable and "cannot be read" in unreadable
    assert "1 events wait" in waiting and "name the sink again" in waiting
    blocked.unlink()
    again = Outlets(sinks_of(f"folder:{blocked}"), spool, 10**6, counted)  # the queue is still there
    again.start()
    wait_until(lambda: counted.delivered == 2)
    again.stop()
    assert numbers(blocked) == {1}


def test_the_queues_of_a_running_process_stay(tmp_path: Path, counted: Counted) -> None:
    running = Outlets(sinks_of(f"folder:{tmp_path}/told"), tmp_path / "spool", 10**6, counted)
    before = set((tmp_path / "spool").iterdir())
    Outlets({}, tmp_path / "spool", 10**6, counted).stop()
    assert before and set((tmp_path / "spool").iterdir()) == before
    running.stop()


@pytest.mark.parametrize(
    "wrong", ["https://host/x", "mqtt://user@host/topic#password_file=/nowhere", "folder:/dev/null/x", "ftp://host/x"]
)
@pytest.mark.parametrize("place", [0, 1, 2])
def test_one_wrong_sink_leaves_nothing_of_the_others(tmp_path: Path, models_dir: Path, wrong: str, place: int) -> None:
    sinks = [f"folder:{tmp_path}/one", f"folder:{tmp_path}/two"]
    sinks.insert(place, wrong)
    record = tmp_path / "record.csv"
    settings = Settings(
        models_dir=models_dir,
        device="cpu",
        on_verdict=",".join(sinks),
        spool_dir=tmp_path / "spool",
        verdict_record=record,
    )
    with pytest.raises(InvalidSink):
        build_app(settings)
    assert list(tmp_path.iterdir()) == []
