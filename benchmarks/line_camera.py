"""A simulated line camera against a server: rows lost, defects reported, memory, latency, broken connections.

    python -m benchmarks.line_camera [--seconds 180] [--rows-per-s 200] [--models_dir DIR --model NAME]

Trains a `Subspace` with tiles of 256 pixels on pieces of the camera's surface, unless a model is named. The server runs
in a process of its own. The camera is `examples/line_camera.py`, the client for users. Its rows are
those of the demo's surface, with defects at known places, at a fixed rate; it waits while the server is slower. Its
connection is broken off twice, at a third and at two thirds of the time. The latency of a defect is measured in rows,
from its last row to the rows that were sent when its region came, and in seconds. The resident memory of the server is
read every second, from the tenth part of the time on, when caches are full.
"""

import argparse
import importlib.util
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import Any

import numpy as np
import psutil
from numpy.typing import NDArray
from PIL import Image

from benchmarks.hardware import write
from tests.waiting import address

ROOT = Path(__file__).parent.parent
DEFECT = 24
"""The height and width of a defect in pixels."""
EVERY_ROWS = 2048
"""The distance between defects in rows."""
WARM_SHARE = 0.1
Rows = NDArray[np.uint8]


@dataclass(frozen=True)
class Scene:
    """An endless surface [period,W] that repeats, and the columns of its defects, which repeat after `len(columns)`."""

    surface: Rows
    columns: Sequence[int]
    every_rows: int
    defect: int

    def rows(self, first: int, count: int) -> Rows:
        """Rows of the surface with defects: dark squares."""
        numbers = np.arange(first, first + count)
        found = self.surface[numbers % len(self.surface)].copy()
        for number in range(first // self.every_rows, (first + count - 1) // self.every_rows + 1):
            top, left = self.place(number)
            own = slice(max(top - first, 0), max(top - first + self.defect, 0))
            found[own, left : left + self.defect] = 0
        return found

    def place(self, number: int) -> tuple[int, int]:
        """The row and column of the top left pixel of defect `number`."""
        return number * self.every_rows + self.every_rows // 2, self.columns[number % len(self.columns)]

    def whole(self, rows: int) -> int:
        """The number of defects that lie wholly in the first rows."""
        return max((rows - self.every_rows // 2 - self.defect) // self.every_rows + 1, 0)


@dataclass
class Seen:
    """What came back from the server: the regions, each with the time and with the rows that were sent by then."""

    regions: list[tuple[dict[str, Any], float, int]] = field(default_factory=list)


def scene(width: int, every_rows: int = EVERY_ROWS, defect: int = DEFECT) -> Scene:
    """The demo's surface in grey, mirrored until it is `width` wide, so that it has no seam."""
    grey = np.asarray(Image.open(ROOT / "examples" / "normal.png").convert("L"))
    pair = np.concatenate([grey, grey[:, ::-1]], 1)
    tall = np.concatenate([pair, pair[::-1]], 0)
    surface = np.tile(tall, (1, -(-width // tall.shape[1])))[:, :width]
    columns = np.random.default_rng(0).integers(0, width - defect, 97).tolist()
    return Scene(np.ascontiguousarray(surface), columns, every_rows, defect)


def client() -> ModuleType:
    """The module of the client for users."""
    spec = importlib.util.spec_from_file_location("line_camera", ROOT / "examples" / "line_camera.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run(
    url: str, model: str, drawn: Scene, *, seconds: float, rows_per_s: float, process: psutil.Process, chunk: int = 64
) -> dict[str, object]:
    """Lets the camera run, and compares what it got with what it sent."""
    seen, sent, memory, stamps = Seen(), 0, list[tuple[float, int]](), [(0, time.monotonic())]

    def on_region(region: dict[str, Any]) -> None:
        seen.regions.append((region, time.monotonic(), sent))

    camera = client().LineCamera(url, model, on_region, width=drawn.surface.shape[1])
    started, breaks = time.monotonic(), [seconds / 3, 2 * seconds / 3]
    while (now := time.monotonic() - started) < seconds:
        if breaks and now > breaks[0]:
            breaks.pop(0)
            camera.break_off()
        time.sleep(max(started + (sent + chunk) / rows_per_s - time.monotonic(), 0))
        camera.send(drawn.rows(sent, chunk).tobytes())
        sent += chunk
        stamps.append((sent, time.monotonic()))
        if not memory or time.monotonic() - memory[-1][0] > 1:
            memory.append((time.monotonic(), process.memory_info().rss))
    ended = camera.finish()
    elapsed = time.monotonic() - started
    levels = [rss for at, rss in memory if at - started > seconds * WARM_SHARE]
    return {
        "width": drawn.surface.shape[1],
        "seconds": round(elapsed, 1),
        "rows_sent": sent,
        "rows_taken": ended["next_row"],
        "rows_per_s": round(sent / elapsed, 1),
        "megapixels_per_s": round(sent * drawn.surface.shape[1] / elapsed / 1e6, 2),
        "connections": camera.connections,
        **_defects(drawn, seen, stamps, sent),
        "latency_rows_announced": camera.latency_rows,
        "memory_mib": {"first": _mib(levels[:1]), "largest": _mib(levels), "last": _mib(levels[-1:])},
    }


def _defects(drawn: Scene, seen: Seen, stamps: list[tuple[int, float]], sent: int) -> dict[str, object]:
    """How often each planted defect was reported, what else was, and when."""
    hits, others, rows, seconds = dict.fromkeys(range(drawn.whole(sent)), 0), 0, list[int](), list[float]()
    sequences = [region["sequence"] for region, _, _ in seen.regions]
    arrivals = np.array([number for number, _ in stamps])
    for region, at, sent_then in seen.regions:
        peak, box = region["peak"], region["box"]
        number = peak["y"] // drawn.every_rows
        top, left = drawn.place(number)
        near = 2 * drawn.defect
        if number in hits and abs(peak["y"] - top) < near and abs(peak["x"] - left) < near:
            hits[number] += 1
            last = box["y"] + box["height"] - 1
            rows.append(sent_then - 1 - last)
            seconds.append(at - stamps[int(np.searchsorted(arrivals, last + 1))][1])
        else:
            others += 1
    return {
        "defects": len(hits),
        "reported_once": sum(count == 1 for count in hits.values()),
        "missed": sum(count == 0 for count in hits.values()),
        "repeated": sum(count > 1 for count in hits.values()),
        "other_regions": others,
        "sequence_complete": sequences == list(range(1, len(sequences) + 1)),
        "latency_rows": {"median": median(rows), "largest": max(rows)} if rows else None,
        "latency_s": {"median": round(median(seconds), 2), "largest": round(max(seconds), 2)} if rows else None,
    }


def _trained(drawn: Scene, name: str, work: Path) -> Path:
    """A model repository with a model of pieces of the surface."""
    random, pictures, models = np.random.default_rng(1), work / "good", work / "models"
    pictures.mkdir()
    height, width = 512, min(1024, drawn.surface.shape[1])
    for number in range(10):
        y, x = (
            random.integers(0, edge - size + 1) for edge, size in zip(drawn.surface.shape, (height, width), strict=True)
        )
        Image.fromarray(drawn.surface[y : y + height, x : x + width]).save(pictures / f"{number}.png")
    command = [
        sys.executable,
        "-m",
        "app",
        "train",
        "--model",
        "Subspace",
        "--data",
        "Folder",
        "--data.root",
        str(pictures),
    ]
    command += ["--tiling.tile_size", "256", "--name", name, "--models_dir", str(models)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=ROOT)
    return models


def _mib(values: Sequence[int]) -> int | None:
    return round(max(values) / 2**20) if values else None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models_dir", type=Path, help="a model repository; by default a model is trained")
    parser.add_argument("--model", default="belt", help="the name of the model")
    parser.add_argument("--width", type=int, default=8192, help="pixels of a row")
    parser.add_argument("--seconds", type=float, default=180, help="the time of the camera")
    parser.add_argument("--rows-per-s", type=float, default=200, help="rows of the camera in a second")
    parser.add_argument("--every-rows", type=int, default=EVERY_ROWS, help="rows from a defect to the next one")
    parser.add_argument("--name", default="line-camera", help="of the file of results")
    given = parser.parse_args()
    with TemporaryDirectory() as work:
        log, drawn = Path(work) / "log", scene(given.width, given.every_rows)
        models = given.models_dir or _trained(drawn, given.model, Path(work))
        command = [sys.executable, "-m", "app", "serve", "--models_dir", str(models), "--port", "0"]
        with log.open("w") as file:
            server = subprocess.Popen(command, stderr=file, cwd=ROOT, env=os.environ | {"TESSERA_LOG_LEVEL": "info"})
        try:
            url = address(server, log)
            found = run(
                url,
                given.model,
                drawn,
                seconds=given.seconds,
                rows_per_s=given.rows_per_s,
                process=psutil.Process(server.pid),
            )
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait()
    write(given.name, {"model": given.model, "camera_rows_per_s": given.rows_per_s, **found})


if __name__ == "__main__":
    main()
