import json
from pathlib import Path

import pytest

from app.errors import NotDelivered
from app.events.folder import FolderSink
from tests.events.making import event


def test_each_event_is_a_file_of_its_day_and_an_event_that_is_sent_again_replaces_itself(tmp_path: Path) -> None:
    folder, one, other = FolderSink("folder", tmp_path), event(1), event(2)
    for each in (one, other, one):
        folder.send(each)
    written = sorted(path.name for path in (tmp_path / "2026-11-28").iterdir())
    assert written == sorted(f"100000123-{each.id}.json" for each in (one, other))
    assert json.loads((tmp_path / "2026-11-28" / f"100000123-{one.id}.json").read_text())["number"] == 1


def test_a_folder_that_cannot_be_written_to_is_tried_again(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(NotDelivered):
        FolderSink("folder", tmp_path / "file").send(event(1))
