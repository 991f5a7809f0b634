"""The latency of small pictures on an idle server, and with a picture of 8192 x 8192 pixels in flight.

    .venv-bench/bin/python -m benchmarks.fairness --root DIR --weights FILE --work DIR [--rows stfpm]

Pictures and models are those of the throughput benchmark, but the models do not resize pictures: the huge picture has
1,024 tiles of 256 x 256 pixels, and a small one 4. In each round one client posts pictures of 512 x 512 pixels, first
alone, then while another client posts the huge picture repeatedly. All rounds use one server.
"""

import io
import subprocess
import sys
from collections.abc import Sequence
from itertools import cycle
from pathlib import Path
from statistics import median
from threading import Event, Thread
from time import perf_counter

from PIL import Image

from app.artifacts import ModelRecord, ModelRepository, load_artifact, write_artifact
from app.pipeline import Preprocessing, TiledModel
from app.runtime import Precision, RunOptions
from app.runtime.options import PrecisionChoice
from benchmarks.command_line import with_data
from benchmarks.hardware import write
from benchmarks.throughput.clients import Load, body, connect, load, post
from benchmarks.throughput.models import MODELS, write_pictures
from benchmarks.throughput.servers import Server, tessera
from benchmarks.throughput.setting import ROWS

SMALL, HUGE = (512, 512), (8192, 8192)
PRECISION: PrecisionChoice = Precision.float32


def main() -> None:
    parser = with_data(__doc__)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--rows", nargs="*", choices=[name for name in ROWS if name != "padim"], default=["stfpm"])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--requests", type=int, default=60)
    given = parser.parse_args()
    paths = write_pictures(given.root, given.work)
    small = [_scaled(path, SMALL, "PNG") for path in paths]
    huge = _scaled(paths[0], HUGE, "JPEG")
    rows = {}
    for name in given.rows:
        arguments = [name, str(given.root), str(given.weights), str(given.work)]
        subprocess.run([sys.executable, "-m", "benchmarks.throughput.models", *arguments], check=True)
        folder = _unresized(name, given.work)
        with tessera(name, folder, "--precision", PRECISION) as server:
            load(server, small, 1, 8)
            runs = [_round(server, small, huge, given.requests) for _ in range(given.rounds)]
            peak_mib = server.peak_mib()
        middle = {key: round(median(run[key] for run in runs), 4) for key in runs[0]}
        rows[name] = {"median": middle, "runs": runs, "peak_mib": round(peak_mib)}
    setting = {"small": SMALL, "huge": HUGE, "precision": PRECISION, "requests": given.requests}
    write("fairness", {**setting, "rows": rows})


def _unresized(name: str, work: Path) -> Path:
    """A folder like `work` with the same model without resizing; the models of anomalib resize all pictures."""
    folder = work / "unresized"
    repository = ModelRepository(folder / name / MODELS)
    if not any(entry.name == name for entry in repository.entries()):
        entry = ModelRepository(work / name / MODELS).find(name, 1)
        loaded = load_artifact(entry, options=RunOptions(precision=PRECISION, keep_weights=True)).model
        model = TiledModel(loaded.detector, Preprocessing(), loaded.tiling, loaded.calibration)
        write_artifact(model, repository, name, ModelRecord("imported", 0, None, "benchmark", 0, "benchmark"))
    return folder


def _scaled(path: Path, size: tuple[int, int], format: str) -> bytes:
    file = io.BytesIO()
    Image.open(path).resize(size, Image.Resampling.BILINEAR).save(file, format)
    return file.getvalue()


def _round(server: Server, small: Sequence[bytes], huge: bytes, requests: int) -> dict[str, float]:
    """The latencies of small pictures without and with a huge picture in flight, in seconds."""
    idle = load(server, small, 1, requests)
    stop, huge_s, failures = Event(), [], []

    def keep_busy() -> None:
        try:
            content, connection = body(huge, server.field), connect(server)
            while not stop.is_set():
                started = perf_counter()
                post(connection, server.predict, content)
                huge_s.append(perf_counter() - started)
        except Exception as error:
            failures.append(error)

    thread = Thread(target=keep_busy)
    thread.start()
    seconds: list[float] = []
    pictures = cycle(small)
    # Ends after the huge picture was answered at least once, so that all of its stages are measured.
    while len(seconds) < requests or (not huge_s and not failures):
        seconds += load(server, [next(pictures)], 1, 1).seconds
    stop.set()
    thread.join()
    if failures:
        raise failures[0]
    busy = Load(0.0, tuple(seconds))
    return {
        "idle p50": idle.quantile(0.5),
        "idle p95": idle.quantile(0.95),
        "busy p50": busy.quantile(0.5),
        "busy p95": busy.quantile(0.95),
        "busy largest": max(seconds),
        "p95 ratio": busy.quantile(0.95) / idle.quantile(0.95),
        "small pictures": float(len(seconds)),
        "huge picture": median(huge_s),
    }


if __name__ == "__main__":
    main()
