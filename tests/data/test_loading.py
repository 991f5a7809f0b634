import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from subprocess import PIPE

import psutil
import pytest
import torch

import app
from app.data import Loader, UnreadablePolicy, decoded
from app.data.loading import PIPE_BYTES
from app.errors import InvalidDataset
from app.pipeline import Preprocessing
from tests.data.conftest import Draw

COUNT = 12
WORKERS = [0, 1, 2]


@pytest.fixture
def paths(draw: Draw) -> list[Path]:
    """Pictures, each filled with its number."""
    return [draw(f"{number}.png", number) for number in range(COUNT)]


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])  # the header stays readable


def values(pictures: Iterator[torch.Tensor]) -> list[int]:
    return [int(picture[0, 0, 0]) for picture in pictures]


@pytest.mark.parametrize("workers", WORKERS)
def test_pictures_are_read_in_order(paths: list[Path], workers: int) -> None:
    assert values(decoded(paths, workers)) == list(range(COUNT))


@pytest.mark.parametrize("workers", WORKERS)
@pytest.mark.parametrize("keep_bytes", [0, 96 * 5, 2**20])
def test_passes_have_the_requested_order(paths: list[Path], workers: int, keep_bytes: int) -> None:
    with Loader(paths, workers, keep_bytes=keep_bytes) as loader:
        for order in ([3, 1, 2], [11, 11, 0], [], range(COUNT), [1, 11]):
            assert values(loader.epoch(order)) == list(order)
        assert [number for number, _ in loader.numbered()] == list(range(COUNT))


def test_processes_are_the_same_in_all_passes(paths: list[Path]) -> None:
    with Loader(paths, 2, keep_bytes=0) as loader:
        values(loader.epoch())
        first = workers_of(psutil.Process())
        values(loader.epoch())
        assert workers_of(psutil.Process()) == first
    assert not workers_of(psutil.Process())


def test_a_pass_may_be_abandoned(paths: list[Path]) -> None:
    with Loader(paths, 2) as loader:
        started = loader.epoch()
        next(started)
        assert values(loader.epoch([7, 5])) == [7, 5]


@pytest.mark.parametrize("workers", WORKERS)
def test_kept_pictures_are_not_read_again(paths: list[Path], workers: int) -> None:
    with Loader(paths, workers, keep_bytes=COUNT * 8 * 12) as loader:
        values(loader.epoch())
        for path in paths:
            path.unlink()
        assert values(loader.epoch()) == list(range(COUNT))


@pytest.mark.parametrize("workers", WORKERS)
def test_pictures_are_transformed_after_they_are_read(paths: list[Path], workers: int) -> None:
    resize = Preprocessing((4, 6)).resize
    with Loader(paths, workers, transform=resize) as loader:
        found = list(loader.epoch())
    assert {tuple(picture.shape) for picture in found} == {(1, 4, 6)}
    assert found[3].dtype == torch.float32


def test_large_pictures_are_sent_through_shared_memory(paths: list[Path]) -> None:
    edge = 1 + int((PIPE_BYTES / 4) ** 0.5)
    with Loader(paths, 1, transform=Preprocessing((edge, edge)).resize, keep_bytes=0) as loader:
        found = list(loader.epoch([5, 6]))
    assert all(picture.is_shared() for picture in found)  # type: ignore[no-untyped-call]  # torch's
    assert [float(picture.mean()) for picture in found] == pytest.approx([5, 6])


@pytest.mark.parametrize("workers", WORKERS)
def test_damaged_pixels_stop_a_pass_with_the_name_of_the_file(paths: list[Path], workers: int) -> None:
    truncate(paths[4])
    with pytest.raises(InvalidDataset, match=rf"1 of {COUNT} .*4\.png.*truncated"):
        list(decoded(paths, workers))


@pytest.mark.parametrize("workers", WORKERS)
def test_damaged_pixels_are_skipped_and_reported_once(paths: list[Path], workers: int) -> None:
    truncate(paths[4])
    reported: list[Path] = []
    with Loader(paths, workers, UnreadablePolicy("skip", lambda path, _: reported.append(path))) as loader:
        for _ in range(2):
            assert [number for number, _ in loader.numbered()] == [n for n in range(COUNT) if n != 4]
    assert reported == [paths[4]]


def test_a_dataset_of_damaged_pictures_is_refused_even_with_skip(paths: list[Path]) -> None:
    for path in paths:
        truncate(path)
    with pytest.raises(InvalidDataset, match=f"none of {COUNT}"):
        list(decoded(paths, 0, UnreadablePolicy("skip")))


def test_a_killed_process_raises_an_error_instead_of_blocking(paths: list[Path]) -> None:
    with Loader(paths, 1, keep_bytes=0) as loader:
        reading = loader.epoch()
        next(reading)
        for worker in workers_of(psutil.Process()):
            worker.kill()
        with pytest.raises(InvalidDataset, match="num_workers"):
            list(reading)
            list(loader.epoch())


SCRIPT = """
import sys
from pathlib import Path
from app.data import Loader

loader = Loader([Path(name) for name in sys.argv[1:]], 1, keep_bytes=0)
print(len(list(loader.epoch())), flush=True)
sys.stdin.read()
"""


@pytest.fixture
def script(paths: list[Path], tmp_path: Path) -> Iterator["subprocess.Popen[str]"]:
    """A program that reads the pictures in one process and then waits for the end of its input."""
    (tmp_path / "script.py").write_text(SCRIPT)
    environment = os.environ | {"PYTHONPATH": str(Path(app.__file__).parent.parent)}
    command = [sys.executable, str(tmp_path / "script.py"), *map(str, paths)]
    with subprocess.Popen(command, stdin=PIPE, stdout=PIPE, stderr=PIPE, text=True, env=environment) as process:
        yield process
        process.kill()


def test_a_script_needs_no_main_guard(script: "subprocess.Popen[str]") -> None:
    assert script.communicate(timeout=60) == (f"{COUNT}\n", "")


def test_processes_end_when_their_program_is_killed(script: "subprocess.Popen[str]") -> None:
    assert script.stdout is not None
    assert script.stdout.readline() == f"{COUNT}\n"
    workers = workers_of(psutil.Process(script.pid))
    assert workers
    script.kill()
    _, alive = psutil.wait_procs(workers, timeout=10)
    assert not alive


def workers_of(process: psutil.Process) -> set[psutil.Process]:
    """The processes that the loader's fork server made, and not those of servers of other tests."""
    decoders = {child.pid for child in process.children() if "app.decoders.fork_server" in child.cmdline()}
    return {child for child in process.children(recursive=True) if child.ppid() not in {process.pid, *decoders}}
