"""`tessera watch` predicts each picture of a folder once."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from threading import Thread
from time import sleep

import pytest
from PIL import Image

from app.cli.commands import main
from tests.conftest import draw_surface
from tests.waiting import wait_until

ROOT = Path(__file__).parent.parent.parent
FAST = ["--interval_s", "0.02", "--settle_s", "0.1", "--overlays", "false"]


@pytest.fixture
def camera(tmp_path: Path) -> Path:
    """A folder with two pictures."""
    for number in range(2):
        save(tmp_path / f"in/line/{number}.png", number)
    return tmp_path / "in"


def save(path: Path, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(draw_surface(seed)).save(path)


def arguments(camera: Path, models_dir: Path, *more: str) -> list[str]:
    output = str(camera.parent / "out")
    return ["watch", str(camera), "--output", output, "--name", "patchcore", "--models_dir", str(models_dir), *more]


def watch(camera: Path, models_dir: Path, *more: str) -> int:
    return main([*arguments(camera, models_dir, "--once", "true", *FAST), *more])


def results(camera: Path) -> list[str]:
    output = camera.parent / "out"
    return sorted(path.relative_to(output).as_posix() for path in output.rglob("*.json"))


def told(camera: Path) -> list[str]:
    """The names of the pictures in the folder of verdicts, without repetitions of an id."""
    events = [json.loads(path.read_text()) for path in (camera.parent / "told").glob("*/*.json")]
    return sorted(event["picture"]["name"] for event in {event["id"]: event for event in events}.values())


def test_each_picture_is_predicted_and_told_once_also_after_a_restart_and_a_move(
    camera: Path, models_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sink = ["--on_verdict", f"folder:{camera.parent}/told"]
    assert watch(camera, models_dir, *sink, "--overlays", "true") == 0
    assert results(camera) == ["line/0.json", "line/1.json"]
    assert (camera.parent / "out/line/0.overlay.png").exists()
    event = next(json.loads(path.read_text()) for path in (camera.parent / "told").rglob("*.json"))
    name = event["picture"]["name"]
    assert event["picture"]["sha256"] == hashlib.sha256((camera / name).read_bytes()).hexdigest()
    assert event["score"] == json.loads((camera.parent / f"out/{name[:-4]}.json").read_text())["score"]
    (camera / "line/0.png").rename(camera / "moved.png")
    os.utime(camera / "line/1.png")
    save(camera / "line/2.png", 2)
    assert watch(camera, models_dir, *sink) == 0
    assert results(camera) == ["line/0.json", "line/1.json", "line/2.json"]
    assert told(camera) == ["line/0.png", "line/1.png", "line/2.png"]
    assert "done before" in capsys.readouterr().err


def test_a_name_that_is_used_again_keeps_the_earlier_results(camera: Path, models_dir: Path) -> None:
    watch(camera, models_dir)
    before = (camera.parent / "out/line/0.json").read_bytes()
    save(camera / "line/0.png", 7)
    save(camera / "line/1.bmp", 8)
    watch(camera, models_dir)
    assert results(camera) == ["line/0-2.json", "line/0.json", "line/1-2.json", "line/1.json"]
    assert (camera.parent / "out/line/0.json").read_bytes() == before


def test_damaged_pictures_are_set_aside_with_the_reason_and_finished_ones_moved(
    camera: Path, models_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = (camera / "line/0.png").read_bytes()
    (camera / "cut.png").write_bytes(whole[: len(whole) // 2])
    done = camera.parent / "done"
    assert watch(camera, models_dir, "--done", str(done)) == 1
    assert "cut.png: The PNG is truncated" in capsys.readouterr().err
    assert "truncated" in json.loads((camera.parent / "out/cut.problem.json").read_text())["problem"]
    moved = sorted(path.relative_to(done).as_posix() for path in done.rglob("*.png"))
    assert moved == ["damaged/cut.png", "line/0.png", "line/1.png"]
    assert not list(camera.rglob("*.png"))
    shutil.copy2(done / "line/0.png", camera / "line/0.png")  # comes back, such as from a copy of the folder
    assert watch(camera, models_dir, "--done", str(done)) == 0
    assert results(camera) == ["cut.problem.json", "line/0.json", "line/1.json"]


def test_a_file_that_is_written_slowly_is_waited_for_even_if_its_writer_pauses(camera: Path, models_dir: Path) -> None:
    save(camera.parent / "other.png", 5)
    data = (camera.parent / "other.png").read_bytes()

    def write() -> None:
        with (camera / "slow.png").open("wb") as file:
            for start in range(0, len(data), len(data) // 4):
                file.write(data[start : start + len(data) // 4])
                file.flush()
                sleep(0.25)  # longer than settle_s

    writer = Thread(target=write)
    writer.start()
    wait_until((camera / "slow.png").exists)
    assert watch(camera, models_dir) == 0
    writer.join()
    assert results(camera) == ["line/0.json", "line/1.json", "slow.json"]


NAMES = (
    b"caf\xe9.png",  # no UTF-8
    b"forged\nerror: line.png",
    b"\x1b[31mred.png",
    "\u202egnp.png".encode(),
    b"[bold]quotes'\".png",
    b"12:30:05.png",
    b" .png",
    b"a" * 251 + b".png",  # 255 bytes, the most that Linux takes: those of the results are longer
    b"b" * 251 + b".PNG",
    "\u00e4".encode() * 125 + b".png",
)


def test_every_name_that_a_camera_can_write_ends_in_a_result_or_a_problem_once(
    camera: Path, models_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for seed, name in enumerate(NAMES, 20):
        save(camera.parent / "picture.png", seed)
        (camera.parent / "picture.png").rename(camera / os.fsdecode(name))
    folder = camera / ("d" * 255)
    folder.mkdir()
    (camera / "line/0.png").rename(folder / ("e" * 251 + ".png"))
    (camera / "empty.png").touch()
    (camera / ("f" * 251 + ".png")).write_bytes(b"no picture")
    done, sink = camera.parent / "done", ["--on_verdict", f"folder:{camera.parent}/told"]
    assert watch(camera, models_dir, *sink, "--overlays", "true", "--done", str(done)) == 1
    said = capsys.readouterr().err
    assert f"{len(NAMES) + 2} pictures predicted, 2 set aside" in said
    assert (
        "\x1b" not in said and "\u202e" not in said and not any(line.startswith("error:") for line in said.splitlines())
    )
    assert r"forged\nerror: line.png" in said and r"\udce9" in said
    found = results(camera)
    problems = [name for name in found if name.endswith(".problem.json")]
    assert (len(problems), len(found)) == (2, len(NAMES) + 4)
    reasons = {json.loads((camera.parent / "out" / name).read_text())["problem"] for name in problems}
    assert any("empty" in why for why in reasons)
    assert sum(path.is_file() for path in done.rglob("*")) == len(NAMES) + 4
    assert len(told(camera)) == len(NAMES) + 2
    for path in list(done.rglob("*")):  # an earlier state of the folder, as from a copy of it
        if path.is_file():
            shutil.copy2(path, camera / path.name)
    assert watch(camera, models_dir, *sink, "--overlays", "true") == 0
    assert results(camera) == found


def test_an_empty_file_that_is_written_later_is_predicted(camera: Path, models_dir: Path) -> None:
    (camera / "late.png").touch()
    assert watch(camera, models_dir) == 1
    save(camera / "late.png", 9)
    assert watch(camera, models_dir) == 0
    assert results(camera) == ["late-2.json", "late.problem.json", "line/0.json", "line/1.json"]


def test_what_cannot_be_read_or_written_does_not_keep_the_others_and_is_done_by_a_later_start(
    camera: Path, models_dir: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.cli.watched.RETRY_S", 0.1)
    save(camera / "other/2.png", 2)
    (camera.parent / "out").mkdir()
    (camera.parent / "out/line").touch()  # where a folder must be
    below = os.open(camera, os.O_RDONLY)
    for _ in range(18):  # the system reads no path of more than 4096 bytes
        os.mkdir("d" * 250, dir_fd=below)  # pathlib has no folders relative to others
        below, above = os.open("d" * 250, os.O_RDONLY, dir_fd=below), below
        os.close(above)
    os.close(below)
    assert watch(camera, models_dir) == 1
    said = capsys.readouterr().err
    assert "1 pictures predicted, 0 set aside, 3 left" in said
    assert said.count("tried again in 0.1 s") == 2 * 3
    assert "cannot be read: File name too long; it is waited for" in said
    shutil.rmtree(camera / ("d" * 250))
    (camera.parent / "out/line").unlink()
    assert watch(camera, models_dir) == 0
    assert results(camera) == ["line/0.json", "line/1.json", "other/2.json"]


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (lambda camera: ["--output", str(camera)], "contains the pictures"),
        (lambda camera: ["--output", str(camera.parent)], "contains the pictures"),
        (lambda camera: ["--done", str(camera)], "contains the pictures"),
        (lambda _: ["--settle_s", "0"], "more than 0"),
        (lambda _: ["--on_verdict", "ftp://host"], "no known kind"),
    ],
)
def test_folders_and_options_that_cannot_work_are_refused(
    camera: Path,
    models_dir: Path,
    more: Callable[[Path], list[str]],
    words: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main([*arguments(camera, models_dir), *more(camera)]) == 1
    assert words in capsys.readouterr().err


def test_after_a_kill_the_same_command_goes_on_and_sigterm_ends_after_the_picture_in_work(
    camera: Path, models_dir: Path
) -> None:
    for number in range(2, 12):
        save(camera / f"line/{number}.png", number)
    sink = ["--on_verdict", f"folder:{camera.parent}/told"]
    command = [sys.executable, "-m", "app", *arguments(camera, models_dir, *FAST, *sink)]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL) as first:
        wait_until(lambda: len(results(camera)) >= 4)
        first.kill()
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as second:
        wait_until(lambda: len(told(camera)) == 12)
        second.send_signal(signal.SIGTERM)
        _, said = second.communicate()
    assert (second.returncode, "the same command goes on" in said) == (0, True)
    assert told(camera) == sorted(f"line/{number}.png" for number in range(12))
    assert results(camera) == sorted(f"line/{number}.json" for number in range(12))
