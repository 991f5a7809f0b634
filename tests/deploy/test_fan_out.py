"""A picture over engines on Ray Serve."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("ray", reason="the extra `ray` is not installed")

from tests.waiting import WAIT_S

PROGRAM = """
import json, sys
from dataclasses import asdict
from pathlib import Path
import torch
from benchmarks.fan_out import compared, surface
from tests.trials_shortened import shorten_trials

shorten_trials()
_, runs = compared(Path(sys.argv[1]), "patchcore", surface(1000), [2, 2])
print(json.dumps([asdict(run) for run in runs]))
"""


def test_two_engines_divide_the_work_of_a_picture_and_its_map_is_equal(models_dir: Path, tmp_path: Path) -> None:
    shutil.copytree(models_dir / "patchcore" / "1", tmp_path / "patchcore" / "1")  # each engine loads what there is
    command = [sys.executable, "-c", PROGRAM, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=2 * WAIT_S)
    assert done.returncode == 0, done.stderr
    runs = json.loads(done.stdout.splitlines()[-1])
    tiles = [sum(run["shares"][engine]["tiles"] for run in runs) for engine in (0, 1)]
    half = sum(tiles) / 2
    assert half > 1000 and min(tiles) >= half / 2, tiles  # on an idle machine within 10 % of half
