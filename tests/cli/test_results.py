import csv
from pathlib import Path

import pytest

from app.api.schemas.geometry import BoxBody, PointBody
from app.api.schemas.prediction import (
    ImageSizeBody,
    ModelRefBody,
    NoteBody,
    PredictionBody,
    RegionBody,
    TilesBody,
    TimingBody,
)
from app.cli.results import COLUMNS, Result, summary, summed_notes, write_results
from app.pipeline import Label
from app.service import NoteCode


def body(score: float, *areas: int, note: str = "") -> PredictionBody:
    """A prediction with a region of each area, at x = area."""
    regions = [
        RegionBody(box=BoxBody(x=area, y=2, width=3, height=4), area=area, score=0.9, peak=PointBody(x=area, y=2))
        for area in areas
    ]
    return PredictionBody(
        model=ModelRefBody(name="m", version=1, detector="patchcore", digest="0"),
        image=ImageSizeBody(width=10, height=10),
        score=score,
        raw_score=2 * score,
        label=Label.anomalous if score > 0.5 else Label.normal,
        threshold=0.5,
        regions=regions,
        notes=[NoteBody(code=NoteCode.unseen_size, message=note)] if note else [],
        tiles=TilesBody(rows=1, columns=1, count=1),
        timing_ms=TimingBody(decode=0, queue=0, device=0, render=0, total=0),
    )


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "results.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_each_picture_has_a_line(tmp_path: Path) -> None:
    results = [
        Result(Path("a.png"), body(0.75, 6, 9, note="an unusual size")),
        Result(Path("b.png"), body(0.25)),
        Result(Path("c.png"), None, "truncated"),
    ]
    write_results(tmp_path, results)
    found = rows(tmp_path)
    first = ["a.png", "anomalous", "0.75", "1.5", "0.5", "2", "9", "2", "3", "4", "9", "an unusual size", ""]
    assert list(found[0].values()) == first
    assert list(found[1].values()) == ["b.png", "normal", "0.25", "0.5", "0.5", "0", *[""] * 7]
    assert list(found[2].values()) == ["c.png", "unreadable", *[""] * 9, "truncated", ""]
    assert list(found[0]) == list(COLUMNS)
    assert (tmp_path / "results.csv").read_bytes().endswith(b"\r\n")


@pytest.mark.parametrize("name", ["=cmd()", "+1", "-1", "@sum", "\t=1", "＝1"])
def test_a_name_is_no_formula_and_still_names_its_file(tmp_path: Path, name: str) -> None:
    write_results(tmp_path, [Result(Path(name), body(0.2)), Result(Path("b"), None, f"{name} is damaged")])
    named, reason = (row[column] for row, column in zip(rows(tmp_path), ("path", "notes"), strict=True))
    assert named == f"./{name}" and Path(named) == Path(name)
    assert reason == f"'{name} is damaged"


def test_names_with_separators_quotes_and_line_breaks_stay_in_their_cell(tmp_path: Path) -> None:
    name = 'a;=1,"b"\nc'
    write_results(tmp_path, [Result(Path(name), body(0.2))])
    assert rows(tmp_path)[0]["path"] == name
    assert b'"a;=1,""b""\nc"' in (tmp_path / "results.csv").read_bytes()


def test_a_name_that_is_not_utf8_is_written_with_escapes(tmp_path: Path) -> None:
    write_results(tmp_path, [Result(Path("a\udcff.png"), body(0.2))])
    assert rows(tmp_path)[0]["path"] == r"a\udcff.png"


def test_a_failed_write_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_results(tmp_path, [Result(Path("old.png"), body(0.2))])

    def full(_: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("app.files.flush", full)
    with pytest.raises(OSError, match="No space"):
        write_results(tmp_path, [Result(Path("new.png"), body(0.2))])
    assert [row["path"] for row in rows(tmp_path)] == ["old.png"]
    assert [path.name for path in tmp_path.iterdir()] == ["results.csv"]


def test_the_summary_counts_the_labels_and_names_the_highest_scores() -> None:
    scores = {"a.png": 0.2, "b.png": 0.9, "c.png": 0.6, "d.png": 0.4}
    results = [*(Result(Path(name), body(score)) for name, score in scores.items()), Result(Path("e.png"), None, "x")]
    assert summary(results) == [
        "5 pictures: 2 anomalous, 2 normal, 1 unreadable",
        "highest scores: 0.900 b.png, 0.600 c.png, 0.400 d.png",
    ]
    assert summary([Result(Path("e.png"), None, "x")]) == ["1 picture: 0 anomalous, 0 normal, 1 unreadable"]


def test_equal_notes_are_summed_up_in_one_line() -> None:
    results = [Result(Path(f"{number}.png"), body(0.2, note=f"size {number}")) for number in range(3)]
    assert summed_notes([*results, Result(Path("x.png"), body(0.6))]) == ["note: 3 of 4 pictures, such as: size 0"]
    assert summed_notes([*results[:1], Result(Path("e.png"), None, "x")]) == ["note: 1 of 2 pictures: size 0"]
    assert summed_notes([Result(Path("e.png"), None, "x")]) == []
