"""Ctrl-C and SIGTERM end the command line by one line, at any moment."""

import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image

from app.interruption import last_words
from tests.conftest import draw_surface

TRAIN = (
    "train --model Patchcore --model.pre_trained false --data Folder --data.root pictures --data.num_workers 1 --name x"
)
MOMENTS = {"at the start": 0.15, "while torch is imported": 0.7, "while it plans": None, "while it trains": None}
SHOWN = {"while it plans": "to calibrate on", "while it trains": "pictures 1 of"}


@pytest.mark.parametrize(
    ("moment", "number"),
    [
        ("at the start", signal.SIGINT),
        ("while torch is imported", signal.SIGTERM),
        ("while it plans", signal.SIGTERM),
        ("while it trains", signal.SIGINT),
    ],
)
def test_a_signal_ends_a_training_in_one_line(moment: str, number: int, tmp_path: Path) -> None:
    for each in range(12):
        path = tmp_path / "pictures" / f"{each}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(draw_surface(each, 256, 256)).save(path)
    log = tmp_path / "log"
    command = [sys.executable, "-m", "app", *shlex.split(TRAIN)]
    with log.open("w") as stream:
        environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
        process = subprocess.Popen(command, cwd=tmp_path, env=environment, stderr=stream, start_new_session=True)
        try:
            wait_for(log, SHOWN.get(moment, ""), MOMENTS[moment])
            if number == signal.SIGINT:
                os.killpg(process.pid, number)  # as a terminal does
            else:
                process.send_signal(number)
            assert process.wait(60) == 128 + number, log.read_text()
        finally:
            process.kill()
    text = log.read_text()
    assert "Traceback" not in text and "Exception ignored" not in text and "error:" not in text
    assert text.strip().splitlines()[-1] == last_words(number, shlex.split(TRAIN))
    assert len(re.findall(r"^stopped by", text, re.MULTILINE)) == 1


def wait_for(log: Path, text: str, seconds: float | None) -> None:
    if seconds is not None:
        time.sleep(seconds)
        return
    deadline = time.monotonic() + 60
    while text not in log.read_text() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert text in log.read_text(), log.read_text()


@pytest.mark.parametrize(
    ("line", "goes_on"),
    [
        (TRAIN, True),
        ("backbone train --teacher x", True),
        ("evaluate --name train", False),
        (f"{TRAIN} --resume false", False),
        (f"{TRAIN} --resume=false", False),
    ],
)
def test_the_line_says_whether_the_same_command_goes_on(line: str, goes_on: bool) -> None:
    assert ("the same command goes on" in last_words(signal.SIGTERM, shlex.split(line))) is goes_on


def test_a_reader_that_leaves_ends_the_output_quietly() -> None:
    command = f"{shlex.quote(sys.executable)} -m app train --help"
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    with subprocess.Popen(
        command, shell=True, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait(60) == 141
