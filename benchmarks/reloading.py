"""The latency of requests while new versions of their model are loaded.

    python -m benchmarks.reloading

In each round four clients post pictures of 1024 x 1024 pixels to the demo model: first alone, then while copies of the
model are added. Each copy is renamed into the repository as the next version, and `POST /v1/models/demo/reload` loads
it. All rounds use one server. Every response must be a prediction.
"""

import argparse
import json
import shutil
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from threading import Event, Thread
from time import perf_counter

from benchmarks.hardware import write
from benchmarks.throughput.clients import Load, connect, load
from benchmarks.throughput.models import MODELS
from benchmarks.throughput.servers import Server, tessera

ROOT = Path(__file__).parent.parent
NAME, CLIENTS = "demo", 4


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--requests", type=int, default=120)
    given = parser.parse_args()
    pictures = [(ROOT / f"examples/{name}.png").read_bytes() for name in ("normal", "defect")]
    with TemporaryDirectory() as temporary:
        repository = Path(temporary) / NAME / MODELS
        shutil.copytree(ROOT / "models" / NAME, repository / NAME)
        versions = _versions(repository)
        with tessera(NAME, Path(temporary), "--reload_interval_s", "0") as server:
            load(server, pictures, CLIENTS, 16)
            runs = [_round(server, pictures, given.requests, versions) for _ in range(given.rounds)]
    middle = {key: round(median(run[key] for run in runs), 4) for key in runs[0]}
    write("reloading", {"clients": CLIENTS, "requests": given.requests, "median": middle, "runs": runs})


def _versions(repository: Path) -> Iterator[int]:
    """Adds the next version of the model at each step, and yields its number; then removes the previous version."""
    for version in count(2):
        made = repository / f".{version}"
        shutil.copytree(repository / NAME / str(version - 1), made)
        manifest = json.loads((made / "manifest.json").read_text())
        manifest["provenance"]["dataset"] = f"copy {version}"
        (made / "manifest.json").write_text(json.dumps(manifest | {"version": version}))
        made.rename(repository / NAME / str(version))
        yield version
        shutil.rmtree(repository / NAME / str(version - 1))


def _round(server: Server, pictures: Sequence[bytes], requests: int, versions: Iterator[int]) -> dict[str, float]:
    """The latencies without and with versions being loaded, in seconds."""
    idle = load(server, pictures, CLIENTS, requests)
    stop, loads, failures = Event(), [], []

    def reload() -> None:
        try:
            connection = connect(server)
            while not stop.is_set():
                version = next(versions)
                started = perf_counter()
                connection.request("POST", f"/v1/models/{NAME}/reload")
                answer = json.loads(connection.getresponse().read())
                loads.append(perf_counter() - started)
                if version not in answer["added"]:
                    raise RuntimeError(f"version {version} was not loaded: {answer}")
        except Exception as error:
            failures.append(error)

    thread = Thread(target=reload)
    thread.start()
    busy = load(server, pictures, CLIENTS, requests)
    stop.set()
    thread.join()
    if failures:
        raise failures[0]
    return _figures(idle, busy) | {"loads": float(len(loads)), "a load": median(loads)}


def _figures(idle: Load, busy: Load) -> dict[str, float]:
    return {
        "idle p50": idle.quantile(0.5),
        "idle p95": idle.quantile(0.95),
        "loading p50": busy.quantile(0.5),
        "loading p95": busy.quantile(0.95),
        "loading largest": max(busy.seconds),
        "p50 ratio": busy.quantile(0.5) / idle.quantile(0.5),
        "p95 ratio": busy.quantile(0.95) / idle.quantile(0.95),
    }


if __name__ == "__main__":
    main()
