"""The record of verdicts: whole lines, a bound on files, and no effect on answers."""

import csv
import errno
import json
import logging
import os
import subprocess
import sys
from pathlib import Path
from time import perf_counter, time

import pytest

from app.errors import InvalidRecord
from app.pipeline import DefectRegion, Label
from app.records import MOST_REGIONS, Line, VerdictRecord
from app.records import record as record_module
from app.records.file import RecordFile
from app.service import Timings, Verdict
from tests.waiting import wait_until

REGION = DefectRegion(3, 4, 5, 6, 20, 0.75, (4, 5))
DAY_S = 86400


def line(request_id: str = "abc", regions: tuple[DefectRegion, ...] = (REGION,), share: float = 1.0) -> Line:
    timings = Timings(0.1, 0.0, 0.2, 0.1, 0.4)
    verdict = Verdict("surface", 2, "d" * 64, "p" * 64, (96, 160), 6, 0.75, 0.5, Label.anomalous, timings, 0.0, share)
    return Line(0.0, request_id, verdict, regions)


class Counts(dict[str, int]):
    def __call__(self, result: str, lines: int) -> None:
        self[result] = self.get(result, 0) + lines


@pytest.mark.parametrize("name", ["record.csv", "record.jsonl"])
def test_every_verdict_is_a_line_that_programs_can_read(tmp_path: Path, name: str) -> None:
    counts, path = Counts(), tmp_path / name
    record = VerdictRecord(path, 2**20, 5, counts)
    record.start()
    record.add(line())
    record.add(line("=1+1", (REGION,) * (MOST_REGIONS + 1), share=0.25))
    record.stop()
    assert counts == {"written": 2}
    text = path.read_text()
    rows: list[dict[str, object]]
    if name.endswith("csv"):
        rows = [dict(row) for row in csv.DictReader(text.splitlines())]
        assert rows[1]["request_id"] == "'=1+1"  # no formula
        rows = [row | {"regions": json.loads(str(row["regions"]))} for row in rows]
    else:
        rows = [json.loads(each) for each in text.splitlines()]
    first = rows[0]
    assert first["time"] == "1970-01-01T00:00:00.000Z" and first["label"] == "anomalous"
    assert (first["picture_sha256"], first["model_digest"]) == ("p" * 64, "d" * 64)
    assert (str(first["version"]), float(str(first["score"])), float(str(first["threshold"]))) == ("2", 0.75, 0.5)
    assert first["regions"] == [[4, 3, 6, 5, 20, 0.75]]
    found = rows[1]["regions"]
    assert isinstance(found, list) and len(found) == MOST_REGIONS
    assert str(rows[1]["region_count"]) == str(MOST_REGIONS + 1)
    assert [float(str(row["share"])) for row in rows] == [1, 0.25]


@pytest.mark.parametrize("left", [b"head\nfirst\nsecond wi", b"head\nfirst\n", b"hea", b""])
def test_a_last_line_that_a_crash_cut_is_removed(tmp_path: Path, left: bytes) -> None:
    path = tmp_path / "record.csv"
    path.write_bytes(left)
    file = RecordFile(path, b"head\n", 2**20, 5)
    file.append(b"third\n", time())
    file.close()
    whole = [b"head", b"first", b"third"] if b"first" in left else [b"head", b"third"]
    assert path.read_bytes().splitlines() == whole


def test_size_and_day_begin_new_files_and_the_oldest_are_removed(tmp_path: Path) -> None:
    path, other = tmp_path / "record.csv", tmp_path / "record.notes.csv"
    other.write_text("not ours")
    file, start = RecordFile(path, b"head\n", 20, 3), time()
    for number in range(6):
        file.append(f"line {number} ----\n".encode(), start + (0 if number < 4 else DAY_S))
    file.close()
    kept = sorted(each for each in tmp_path.iterdir() if each != other)
    assert len(kept) == 3 and path in kept
    assert path.read_text() == "head\nline 5 ----\n"
    assert all(each.read_text().startswith("head\nline") for each in kept)
    assert other.read_text() == "not ours"


def test_a_file_that_was_moved_away_is_begun_anew(tmp_path: Path) -> None:
    path = tmp_path / "record.jsonl"
    file = RecordFile(path, b"", 2**20, 3)
    file.append(b"1\n", time())
    path.rename(tmp_path / "moved.jsonl")
    file.append(b"2\n", time())
    file.close()
    assert path.read_bytes() == b"2\n"


def test_lines_wait_while_the_file_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(record_module, "RETRY_S", 0.01)
    monkeypatch.setattr(record_module, "MOST_WAITING", 3)
    folder = tmp_path / "folder"
    folder.mkdir()
    counts = Counts()
    record = VerdictRecord(folder / "record.jsonl", 2**20, 5, counts)
    folder.rename(tmp_path / "away")
    record.start()
    started = perf_counter()
    for number in range(5):
        record.add(line(str(number)))
    assert perf_counter() - started < 0.1
    wait_until(lambda: record.problem is not None)
    assert "cannot be written" in str(record.problem) and counts == {"dropped": 2}
    assert sum(each.levelno == logging.ERROR for each in caplog.records) == 1
    assert not folder.exists()
    (tmp_path / "away").rename(folder)
    wait_until(lambda: counts.get("written") == 3)
    record.stop()
    assert record.problem is None
    kept = [json.loads(each)["request_id"] for each in (folder / "record.jsonl").read_text().splitlines()]
    assert kept == ["0", "1", "2"]


@pytest.mark.parametrize("name", ["record.csv", "alias.csv"])
def test_a_second_process_cannot_write_the_same_record(tmp_path: Path, name: str) -> None:
    (tmp_path / "alias.csv").symlink_to("record.csv")
    first = VerdictRecord(tmp_path / "record.csv", 2**20, 5, Counts())
    (tmp_path / "record.csv").rename(tmp_path / "moved.csv")  # also after the file was moved away
    with pytest.raises(InvalidRecord, match="another process writes it; give each server a file of its own"):
        VerdictRecord(tmp_path / name, 2**20, 5, Counts())
    other = VerdictRecord(tmp_path / "other.csv", 2**20, 5, Counts())
    for record in (first, other):
        record.stop()
    VerdictRecord(tmp_path / name, 2**20, 5, Counts()).stop()


def test_a_record_that_a_killed_process_wrote_is_free(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from app.records import VerdictRecord\n"
        "record = VerdictRecord(Path(sys.argv[1]), 2**20, 5, lambda *_: None)\n"
        "print('held', flush=True); time.sleep(99)"
    )
    path = tmp_path / "record.jsonl"
    with subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None and holder.stdout.readline() == "held\n"
        with pytest.raises(InvalidRecord, match="another process"):
            VerdictRecord(path, 2**20, 5, Counts())
        holder.kill()
        holder.wait()
    VerdictRecord(path, 2**20, 5, Counts()).stop()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("none/record.csv", "none is not a directory, or is not there; make it, or name another file"),
        ("file/record.csv", "file is not a directory"),
        ("folder.csv", "it is a directory; name a file in it"),
        ("pipe.csv", "it is no regular file"),
        ("none.csv", "let the server's user write to .*, or name another file"),
    ],
)
def test_a_record_that_cannot_be_written_is_refused_and_leaves_nothing(tmp_path: Path, name: str, words: str) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder.csv").mkdir()
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / ".none.csv.lock").symlink_to("away/lock")  # it cannot be made; permissions do not stop root
    before = set(tmp_path.iterdir())
    with pytest.raises(InvalidRecord, match=words) as caught:
        VerdictRecord(tmp_path / name, 2**20, 5, Counts())
    assert str(tmp_path / name) in str(caught.value)
    assert set(tmp_path.iterdir()) == before


@pytest.mark.parametrize("name", ["record.csv", "record.jsonl"])
def test_a_full_disk_ends_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("app.records.place.os.fsync", full)
    with pytest.raises(InvalidRecord, match="No space left on device; make room on its disk"):
        VerdictRecord(tmp_path / name, 2**20, 5, Counts())
    monkeypatch.undo()
    VerdictRecord(tmp_path / name, 2**20, 5, Counts()).stop()
