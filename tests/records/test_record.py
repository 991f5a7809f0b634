"""The record of verdicts: whole lines, a bound on files, and no effect on answers."""

import csv
import json
import logging
from pathlib import Path
from time import perf_counter, time

import pytest

from app.pipeline import DefectRegion, Label
from app.records import MOST_REGIONS, Line, VerdictRecord
from app.records import record as record_module
from app.records.file import RecordFile
from app.service import Timings, Verdict
from tests.waiting import wait_until

REGION = DefectRegion(3, 4, 5, 6, 20, 0.75, (4, 5))
DAY_S = 86400


def line(request_id: str = "abc", regions: tuple[DefectRegion, ...] = (REGION,)) -> Line:
    timings = Timings(0.1, 0.0, 0.2, 0.1, 0.4)
    verdict = Verdict("surface", 2, "d" * 64, "p" * 64, (96, 160), 6, 0.75, 0.5, Label.anomalous, timings, 0.0)
    return Line(0.0, request_id, verdict, regions)


class Counts(dict[str, int]):
    def __call__(self, result: str, lines: int) -> None:
        self[result] = self.get(result, 0) + lines


@pytest.mark.parametrize("name", ["record.csv", "record.jsonl"])
def test_every_verdict_is_a_line_that_programs_can_read(tmp_path: Path, name: str) -> None:
    counts, path = Counts(), tmp_path / "new" / name
    record = VerdictRecord(path, 2**20, 5, counts)
    record.start()
    record.add(line())
    record.add(line("=1+1", (REGION,) * (MOST_REGIONS + 1)))
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
    folder.write_text("a file where the folder should be")
    counts = Counts()
    record = VerdictRecord(folder / "record.jsonl", 2**20, 5, counts)
    record.start()
    started = perf_counter()
    for number in range(5):
        record.add(line(str(number)))
    assert perf_counter() - started < 0.1
    wait_until(lambda: record.problem is not None)
    assert "cannot be written" in str(record.problem) and counts == {"dropped": 2}
    assert sum(each.levelno == logging.ERROR for each in caplog.records) == 1
    folder.unlink()
    wait_until(lambda: counts.get("written") == 3)
    record.stop()
    assert record.problem is None
    kept = [json.loads(each)["request_id"] for each in (folder / "record.jsonl").read_text().splitlines()]
    assert kept == ["0", "1", "2"]
