"""Trains a detector with this program and with anomalib, one after the other, and compares what came of it.

    .venv-parity/bin/python -m benchmarks.kolektorsdd padim --root ../shared/data/kolektorsdd --weights WEIGHTS

The same pictures in the same order, tiles, backbone weights (a ResNet-18), random channels and initial weights, each
program in a process of its own with one thread, so that processor time can be compared on a machine that does other
things, too. AUROC is exact, over all test pictures and all pixels of their maps.
"""

import argparse
import json
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from statistics import fmean
from tempfile import TemporaryDirectory

from benchmarks.hardware import write
from benchmarks.kolektorsdd.setting import SETTINGS


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("detector", choices=tuple(SETTINGS))
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--weights", type=Path, required=True)
    given = parser.parse_args()
    found: dict[str, list[dict[str, float]]] = {"anomalib": [], "tessera": []}
    for seed in range(SETTINGS[given.detector].runs):
        with TemporaryDirectory() as folder:
            start = str(Path(folder) / "start.safetensors")
            arguments = [given.detector, str(given.root), str(given.weights), start, str(seed)]
            for program, runs in found.items():  # in turn, and anomalib first: it draws the initial weights
                runs.append(_run(program, arguments))
    setting = {"threads": 1, **asdict(SETTINGS[given.detector])}
    means = {program: _mean(runs) for program, runs in found.items()}
    write(f"kolektorsdd-{given.detector}", {"detector": given.detector, "setting": setting, "mean": means, **found})


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
