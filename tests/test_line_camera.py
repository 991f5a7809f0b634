"""The simulated line camera of benchmarks/line_camera.py, in short, and its client for users."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import psutil

from app.settings import Settings
from benchmarks.line_camera import Scene, run
from tests.conftest import draw_surface
from tests.running import running

ROOT = Path(__file__).parent.parent
WIDTH = 320


def test_no_row_is_lost_and_every_defect_is_reported_once(models_dir: Path) -> None:
    drawn = Scene(draw_surface(8, 512, WIDTH)[..., 0], (20, 250, 130), every_rows=128, defect=16)
    with running(Settings(models_dir=models_dir, device="cpu")) as live:
        found = run(live.url, "patchcore", drawn, seconds=3, rows_per_s=400, process=psutil.Process(), chunk=16)
    assert found["rows_taken"] == found["rows_sent"]
    assert found["reported_once"] == found["defects"] and found["missed"] == found["repeated"] == 0
    assert found["sequence_complete"] is True
    assert found["connections"] == 3


def test_the_example_prints_the_regions_of_its_input(models_dir: Path) -> None:
    rows = draw_surface(9, 200, WIDTH)[..., 0].copy()
    rows[90:110, 50:80] = 0
    with running(Settings(models_dir=models_dir, device="cpu")) as live:
        command = [sys.executable, "examples/line_camera.py", "--model", "patchcore", "--width", str(WIDTH), live.url]
        done = subprocess.run(command, input=np.ascontiguousarray(rows).tobytes(), stdout=subprocess.PIPE, cwd=ROOT)
    assert done.returncode == 0
    *regions, ended = map(json.loads, done.stdout.splitlines())
    assert ended["type"] == "ended" and ended["next_row"] == 200 and ended["sequence"] == len(regions)
    assert any(abs(each["peak"]["y"] - 100) < 20 and abs(each["peak"]["x"] - 65) < 25 for each in regions)
