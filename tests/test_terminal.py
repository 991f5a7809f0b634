import os
from pathlib import Path

import pytest

from app.terminal import LINE_S, Lines, print_error, print_line, print_skipped, progress_bars


def test_a_log_gets_a_line_every_interval_with_the_time_left(capsys: pytest.CaptureFixture[str]) -> None:
    now_s = [0.0]
    report = Lines(lambda: now_s[0])
    for done in range(1, 101):
        now_s[0] += LINE_S / 10
        report("training", done, 100, f"loss {1 / done:.2f}")
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "training 1 of 100, loss 1.00"
    assert lines[1] == "training 11 of 100, loss 0.09, 0:04:27 left"
    assert lines[-1] == "training 100 of 100, loss 0.01"
    assert len(lines) == 11


def test_work_done_before_a_resume_does_not_shorten_the_time_left(capsys: pytest.CaptureFixture[str]) -> None:
    now_s = [0.0]
    report = Lines(lambda: now_s[0])
    report("training", 50, 100, "goes on from its checkpoint")
    now_s[0] = LINE_S
    report("training", 60, 100)
    assert capsys.readouterr().err.splitlines()[-1] == "training 60 of 100, 0:02:00 left"


def test_output_that_is_not_a_terminal_gets_lines() -> None:
    with progress_bars() as report:
        assert isinstance(report, Lines)


def test_names_cannot_forge_lines_or_move_the_cursor(capsys: pytest.CaptureFixture[str]) -> None:
    name = os.fsdecode(b"a\n[red]\r\x1b[2J\x7f\xe2\x80\xae\xff\xc2\x9b.png")
    print_line(name)
    print_error(name)
    print_skipped(Path(name), "damaged")
    written = r"a\n[red]\r\x1b[2J\x7f\u202e\udcff\x9b.png"
    said = capsys.readouterr().err.splitlines()
    assert said == [written, f"error: {written}", f"left out: {written}: damaged"]
