"""Runs all steps, and writes results.json, gpu.svg and log.txt into a folder.

    python -m benchmarks.gpu --out DIR [--scale full | rehearsal | short] [--device cuda]

Each step is a process with a time limit. Its figures are written to results.json before the next step begins. Of a step
that fails or exceeds its time limit, the figures so far are written. The roofline table is computed at the end.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import cast

import torch

from benchmarks.gpu.plot import plot
from benchmarks.gpu.results import Figures, write_json
from benchmarks.gpu.roofline import roofline, table
from benchmarks.gpu.scale import SCALES
from benchmarks.gpu.steps import STEPS, Step
from benchmarks.hardware import describe

MOST_BYTES = 16 * 2**20
"""The size of a file of results above which it is reported as too large."""


def main() -> int:
    """Runs the command line; returns 1 if a step failed, else 0."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--scale", choices=tuple(SCALES), default="full")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--steps", nargs="*", choices=[step.name for step in STEPS])
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    results: Figures = {"date": date.today().isoformat(), "scale": given.scale, "hardware": cast(Figures, describe())}
    chosen = [step for step in STEPS if not given.steps or step.name in given.steps]
    with TemporaryDirectory() as work, (given.out / "log.txt").open("wb") as log:
        for step in chosen:
            results[step.name] = _run(step, given.scale, given.device, Path(work), log.fileno())
            write_json(given.out / "results.json", results)
    results["roofline"] = roofline(results)
    write_json(given.out / "results.json", results)
    plot(results, given.out / "gpu.svg")
    print(table(results), flush=True)
    for file in given.out.iterdir():
        print(f"{file.stat().st_size:>12,} {file.name}{'' if file.stat().st_size <= MOST_BYTES else ' (too large)'}")
    failed = [step.name for step in chosen if not _succeeded(results, step)]
    print(f"{len(chosen) - len(failed)} passed, {len(failed)} failed{': ' + ', '.join(failed) if failed else ''}")
    return 1 if failed else 0


def _run(step: Step, scale: str, device: str, work: Path, log: int) -> Figures:
    """Runs a step; returns its status, its seconds and its figures."""
    out = work / f"{step.name}.json"
    command = [sys.executable, "-m", "benchmarks.gpu.steps", step.name, "--scale", scale, "--device", device]
    command += ["--work", str(work), "--out", str(out)]
    print(f"{step.name}: {step.shows}", end=" ", flush=True)
    started, limit_s = perf_counter(), step.limit_s * SCALES[scale].patience
    # In a session of its own, so that the step's servers and clients are killed with it.
    with subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True) as process:
        try:
            ended = process.wait(limit_s)
            status = "done" if ended == 0 else f"failed with status {ended}"
        except subprocess.TimeoutExpired:
            status = f"stopped after {limit_s:g} s"
        finally:
            _end(process.pid)
    seconds = round(perf_counter() - started, 1)
    print(f"... {status}, {seconds} s", flush=True)
    figures: Figures = json.loads(out.read_text()) if out.is_file() else {}
    return {"status": status, "step_s": seconds, "figures": figures}


def _end(group: int) -> None:
    """Kills the remaining processes of a process group."""
    with suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)


def _succeeded(results: Figures, step: Step) -> bool:
    found = results[step.name]
    return isinstance(found, dict) and found["status"] == "done"


if __name__ == "__main__":
    sys.exit(main())
