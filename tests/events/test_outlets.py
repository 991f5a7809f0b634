import json
from pathlib import Path

import pytest

from app.errors import InvalidSink, NotDelivered
from app.events import Event, Outlets, parse_addresses
from app.events.folder import FolderSink
from tests.events.conftest import Counted
from tests.events.making import event
from tests.waiting import wait_until


def numbers(folder: Path) -> set[int]:
    return {json.loads(path.read_text())["number"] for path in folder.glob("*/*.json")}


def test_two_processes_cannot_use_one_spool_folder(tmp_path: Path, counted: Counted) -> None:
    addresses = parse_addresses(f"folder:{tmp_path}/told")
    first = Outlets(addresses, tmp_path / "spool", 10**6, counted)
    with pytest.raises(InvalidSink, match="another process uses the spool folder"):
        Outlets(addresses, tmp_path / "spool", 10**6, counted)
    first.stop()
    Outlets(addresses, tmp_path / "spool", 10**6, counted).stop()


def test_a_sink_that_fails_does_not_hold_up_another_and_a_full_queue_is_counted(
    tmp_path: Path, counted: Counted, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    addresses = parse_addresses(f"folder:{tmp_path}/told, folder:{tmp_path}/file")
    outlets = Outlets(addresses, tmp_path / "spool", 5000, counted)
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
    outlets = Outlets(parse_addresses(f"folder:{tmp_path}/told"), tmp_path / "spool", 10**6, counted)
    outlets.start()
    outlets.tell(event(7)).result()
    outlets.wait_until_delivered(10)
    outlets.stop()
    assert (numbers(tmp_path / "told"), counted.failed) == ({7}, 2)
