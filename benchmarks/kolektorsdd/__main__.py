"""Trains a detector with this program and with anomalib, one after the other, and compares the results.

    .venv-parity/bin/python -m benchmarks.kolektorsdd padim --root ../shared/data/kolektorsdd --weights WEIGHTS

Both programs have the same pictures in the same order, tiles, backbone weights (a ResNet-18), random channels and
initial weights. Each runs in a process of its own with one thread, so that processor time can be compared on a machine
with other load. AUROC is exact, over all test pictures and all pixels of their maps.
"""

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from functools import partial
from pathlib import Path
from statistics import fmean
from tempfile import TemporaryDirectory

from benchmarks.command_line import with_data
from benchmarks.hardware import write
from benchmarks.kolektorsdd.setting import SETTINGS

PROGRAMS = ("anomalib", "tessera")  # in this order, because anomalib draws the initial weights


def main() -> None:
    parser = with_data(__doc__)
    parser.add_argument("detector", choices=tuple(SETTINGS))
    parser.add_argument("--jobs", type=int, default=1, help="the number of runs at the same time")
    given = parser.parse_args()
    one = partial(_runs, given.detector, given.root, given.weights)
    with ThreadPoolExecutor(given.jobs) as pool:
        runs = list(pool.map(one, range(SETTINGS[given.detector].runs)))
    found = {program: [each[program] for each in runs] for program in PROGRAMS}
    setting = {"threads": 1, **asdict(SETTINGS[given.detector])}
    means = {program: _mean(runs) for program, runs in found.items()}
    write(f"kolektorsdd-{given.detector}", {"detector": given.detector, "setting": setting, "mean": means, **found})


def _runs(detector: str, root: Path, weights: Path, seed: int) -> dict[str, dict[str, float]]:
    """The figures of both programs for one seed."""
    with TemporaryDirectory() as folder:
        arguments = [detector, str(root), str(weights), str(Path(folder) / "start.safetensors"), str(seed)]
        return {program: _run(program, arguments) for program in PROGRAMS}


def _mean(runs: list[dict[str, float]]) -> dict[str, float]:
    return {key: round(fmean(run[key] for run in runs), 4) for key in runs[0]}


def _run(program: str, arguments: list[str]) -> dict[str, float]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", f"benchmarks.kolektorsdd.{program}", *arguments]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


if __name__ == "__main__":
    main()
