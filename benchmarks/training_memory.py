"""Peak memory of training PatchCore on few and on many pictures: it must not grow with their number.

    python -m benchmarks.training_memory --weights WEIGHTS [--counts 200 2000] [--folder FOLDER]

Pictures of 1024 x 1024 pixels are cut from surfaces that this project draws. The tiles have 256 pixels, the backbone is
a ResNet-18, and the coreset is 0.1 % of the default store of 1 GiB. `tessera train` runs as a command. The memory of
its process and of its decoding workers is sampled twice a second, as the proportional set size (PSS).
"""

import argparse
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter, sleep

import numpy as np
import psutil
from PIL import Image

from benchmarks.hardware import write
from scripts.demo.surface import normal_surface

EDGE, SHEET, SHEETS = 1024, 1536, 16
PERIOD_S = 0.5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--counts", type=int, nargs=2, default=(200, 2000))
    parser.add_argument("--folder", type=Path, default=None, help="the folder of the temporary pictures")
    given = parser.parse_args()
    few, many = (_measure(count, given.weights, given.folder) for count in given.counts)
    growth = round(float(many["peak_gib"]) / float(few["peak_gib"]) - 1, 4)
    write("training-memory", {"detector": "patchcore", "few": few, "many": many, "growth": growth})


def _measure(count: int, weights: Path, parent: Path | None) -> dict[str, float]:
    with TemporaryDirectory(dir=parent) as folder:
        _draw(Path(folder) / "pictures", count)
        started = perf_counter()
        peak = _peak_bytes(_command(Path(folder), weights))
        return {
            "pictures": count,
            "peak_gib": round(peak / 2**30, 3),
            "wall_s": round(perf_counter() - started, 1),
        }


def _draw(folder: Path, count: int) -> None:
    folder.mkdir()
    rng = np.random.default_rng(0)
    sheets = [normal_surface(rng, (SHEET, SHEET)) for _ in range(SHEETS)]
    for number in range(count):
        top, left = rng.integers(0, SHEET - EDGE, 2)
        picture = sheets[number % SHEETS][top : top + EDGE, left : left + EDGE]
        Image.fromarray(picture).save(folder / f"{number:05}.jpg", quality=95)


def _command(folder: Path, weights: Path) -> list[str]:
    return [
        *(sys.executable, "-m", "app", "train", "--model", "Patchcore", "--model.backbone", "resnet18"),
        *("--model.backbone_weights", str(weights), "--model.coreset_sampling_ratio", "0.001"),
        *("--data", "Folder", "--data.root", str(folder / "pictures"), "--calibration.share", "0.01"),
        *("--tiling.tile_size", "256", "--name", "surface", "--models_dir", str(folder / "models")),
    ]


def _peak_bytes(command: list[str]) -> int:
    """The largest memory of a command and its children while it runs; raises CalledProcessError if it fails."""
    peak = 0
    with subprocess.Popen(command) as running:
        process = psutil.Process(running.pid)
        while running.poll() is None:
            peak = max(peak, _memory_bytes(process))
            sleep(PERIOD_S)
    if running.returncode:
        raise subprocess.CalledProcessError(running.returncode, command)
    return peak


def _memory_bytes(process: psutil.Process) -> int:
    total = 0
    try:
        for each in (process, *process.children(recursive=True)):
            total += each.memory_full_info().pss
    except psutil.NoSuchProcess:  # ended meanwhile
        pass
    return total


if __name__ == "__main__":
    main()
