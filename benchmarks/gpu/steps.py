"""The steps in the order in which they run, with their time limits.

python -m benchmarks.gpu.steps NAME --scale full --device cuda --work DIR --out FILE       runs one step
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import cast

import torch

from benchmarks.gpu.results import Results
from benchmarks.gpu.scale import SCALES
from benchmarks.gpu.setting import Setting


@dataclass(frozen=True, slots=True)
class Step:
    """A module of this package with a function `run(setting)`.

    name: the module's name
    limit_s: the time limit, after which the step is stopped; figures measured before it are kept
    shows: the line that is printed for the step
    """

    name: str
    limit_s: float
    shows: str


STEPS = (
    Step("models", 50, "the models that are measured"),
    Step("marked_tests", 80, "the tests marked gpu"),
    Step("maps", 35, "maps of the device beside the CPU's float32"),
    Step("limits", 20, "what the machine can do at most"),
    Step("engine", 75, "tiles per second of the engine and of its network"),
    Step("search", 50, "the search of memory banks"),
    Step("serving", 75, "pictures per second through HTTP, and where the time goes"),
    Step("reference", 60, "anomalib's models"),
    Step("memory", 25, "memory over many requests"),
    Step("owners", 25, "two owners of one device"),
    Step("compiled", 25, "torch.compile of the same networks"),
)


def main() -> None:
    """Runs one step by the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=[step.name for step in STEPS])
    parser.add_argument("--scale", choices=tuple(SCALES), required=True)
    parser.add_argument("--device", type=torch.device, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    module = import_module(f"benchmarks.gpu.{given.name}")
    run = cast(Callable[[Setting], None], module.run)
    run(Setting(SCALES[given.scale], given.device, given.work, Results(given.out)))


if __name__ == "__main__":
    main()
