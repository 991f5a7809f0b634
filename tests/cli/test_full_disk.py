"""A disk that is full where a command writes: one line that names the place, and nothing half-written."""

import resource
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from app.cli import main
from tests.conftest import draw_surface
from tests.importing.files import checkpoint_of, fitted

FIT = ["--model", "Patchcore", "--model.layers", "[layer1]", "--model.coreset_sampling_ratio", "0.05"]
PICTURES = ["--data", "Folder", "--data.root", "data", "--data.num_workers", "0", "--data.abnormal_dir", "bad"]
PICTURES += ["--data.normal_dir", "good"]
MODELS = ["--models_dir", "models"]
COMMANDS: dict[str, tuple[list[str], str]] = {
    "train": (["train", "--name", "new", *FIT, *PICTURES, *MODELS], "models/new"),
    "calibrate": (["calibrate", "--name", "patchcore", *PICTURES, *MODELS], "models/patchcore"),
    "import": (
        ["import", "model.ckpt", "--name", "new", "--tiling.tile_size", "[64, 32]", "--tiling.stride", "32", *MODELS],
        "models/new",
    ),
    "evaluate": (["evaluate", "--name", "patchcore", "--output", "out", *PICTURES, *MODELS], "out"),
    "compare": (["compare", "patchcore:1", "padim", "--output", "out", *PICTURES, *MODELS], "out"),
    "predict": (["predict", "data/good/0.png", "--name", "patchcore", "--output", "out", *MODELS], "out"),
}
"""Each command, and the folder that it writes to."""


@pytest.fixture
def place(models_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(models_dir, tmp_path / "models")
    for number in range(8):
        picture = draw_surface(30 + number, 64, 64)
        if number >= 6:
            picture[20:30, 20:30] = (255, 0, 0)
        path = tmp_path / f"data/{'good' if number < 6 else 'bad'}/{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """Files cannot have more bytes: writes fail as on a full disk, with another errno."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def files(place: Path) -> dict[Path, int]:
    return {path: path.stat().st_size for path in place.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("command", "size"),
    [(command, 0) for command in COMMANDS] + [("train", 2000), ("train", 20_000), ("predict", 2000)],
)
def test_a_full_disk_is_told_in_one_line(
    place: Path, command: str, size: int, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: Any
) -> None:
    (place / "scratch").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(place / "scratch"))
    if command == "import":
        torch.save(checkpoint_of(fitted("padim")), "model.ckpt")
    words, folder = COMMANDS[command]
    before = files(place)
    with largest_file(size):
        status = main(words)
    printed = capsys.readouterr()
    assert status == 1
    assert "Traceback" not in printed.err
    last = printed.err.splitlines()[-1]
    in_scratch = "scratch" in last and "TMPDIR" in last
    assert (folder in last or in_scratch) and "make room there" in last
    assert files(place) == before


def test_a_full_standard_output_is_told_in_one_line(
    models_dir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    full = Path("/dev/full").open("w")  # noqa: SIM115 - closing it raises the error of writing again
    with monkeypatch.context() as patch:
        patch.setattr("sys.stdout", full)
        assert main(["models", "list", "--models_dir", str(models_dir)]) == 1
    with suppress(OSError):
        full.close()
    assert "the output of the command could not be written; make room" in capsys.readouterr().err
