"""Pictures per second over HTTP: of this program, of anomalib behind FastAPI with a lock, and behind LitServe.

    make bench ROOT=../shared/data/kolektorsdd WEIGHTS=FILE
    .venv-bench/bin/python -m benchmarks.throughput --root DIR --weights FILE --work DIR [--rows stfpm padim]

Pictures are PNGs of 1024 x 1024 pixels, in tiles of 256. anomalib trains the models, and this program imports them.
First the maps of this program are compared with anomalib's. Then the servers are measured in turn, round after round.
Each server is a process of its own; only one runs at a time. `--work` keeps models and pictures for later runs.
"""

import io
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np
from numpy.typing import NDArray

from benchmarks.command_line import with_data
from benchmarks.hardware import write
from benchmarks.throughput import servers
from benchmarks.throughput.clients import body, connect, load, post
from benchmarks.throughput.models import write_pictures
from benchmarks.throughput.plot import plot
from benchmarks.throughput.servers import Server
from benchmarks.throughput.setting import CLIENTS, ROWS

Start = Callable[[], AbstractContextManager[Server]]
PROGRAMS = ("anomalib behind LitServe",)  # the programs that `--skip` may leave out
TOLERANCE = {"float32": 1e-4, "auto": 2e-2}
"""As a share of the map's largest value, by precision."""


def main() -> None:
    parser = with_data(__doc__)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--rows", nargs="*", choices=tuple(ROWS), default=list(ROWS))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--requests", type=int, default=48, help="for each number of clients, fewer with one client")
    parser.add_argument("--skip", nargs="*", choices=PROGRAMS, default=[], help="programs that are not measured")
    parser.add_argument("--busy", type=int, default=0, help="processes that keep a core busy beside the servers")
    parser.add_argument("--name", default="throughput", help="prefix of the results files, after the date")
    given = parser.parse_args()
    pictures = [path.read_bytes() for path in write_pictures(given.root, given.work)]
    results = []
    for name in given.rows:
        arguments = [name, str(given.root), str(given.weights), str(given.work)]
        subprocess.run([sys.executable, "-m", "benchmarks.throughput.models", *arguments], check=True)
        with _busy(given.busy):
            row = _row(name, given.work, pictures, given.rounds, given.requests, given.skip)
        setting = {"requests": given.requests, "rounds": given.rounds, "busy_processes": given.busy}
        result = {"row": name, **setting, **row}
        results.append(write(f"{given.name}-{name}", result))
    plot(results, given.name)


@contextmanager
def _busy(count: int) -> Iterator[None]:
    """Runs `count` processes that compute without a pause until the end of the `with` block."""
    processes = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


def _row(
    name: str, work: Path, pictures: Sequence[bytes], rounds: int, requests: int, skip: Sequence[str]
) -> dict[str, object]:
    """The figures of all servers for one model."""
    starts: dict[str, Start] = {
        "anomalib behind FastAPI": partial(servers.fastapi, name, work),
        "anomalib behind LitServe": partial(servers.litserve, name, work),
        "float32": partial(servers.tessera, name, work, "--precision", "float32"),
        "auto": partial(servers.tessera, name, work, "--precision", "auto"),
    }
    for program in skip:
        del starts[program]
    agreement = _agreement(name, starts, pictures)
    runs: dict[str, list[dict[str, float]]] = {program: [] for program in starts}
    executions: dict[str, list[object]] = {program: [] for program in TOLERANCE}
    for _ in range(rounds):
        for program, start in starts.items():
            found, execution = _measured(start, pictures, requests, _bare(name, work, program))
            runs[program].append(found)
            if execution is not None:
                executions[program].append(execution)
    medians = {
        program: {key: round(median(run[key] for run in each), 4) for key in each[0]} for program, each in runs.items()
    }
    slow = medians["anomalib behind FastAPI"]["16 clients, pictures/s"]
    ratios = {program: round(medians[program]["16 clients, pictures/s"] / slow, 2) for program in starts}
    row = ROWS[name]
    return {
        "map_difference": agreement,
        "times_anomalib_behind_fastapi": ratios,
        "aims": {"float32": row.float32_aim, "auto": row.auto_aim},
        "medians": medians,
        "runs": runs,
        "executions": executions,
    }


def _bare(name: str, work: Path, program: str) -> float:
    """Pictures per second of the network alone; 0 for other programs than this one."""
    if program not in TOLERANCE:
        return 0.0
    command = [sys.executable, "-m", "benchmarks.throughput.bare", name, str(work), "--precision", program]
    return float(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.split()[-1])


def _agreement(name: str, starts: dict[str, Start], pictures: Sequence[bytes]) -> dict[str, float]:
    """The largest difference of this program's maps from anomalib's, as a share of their largest value.

    Raises SystemExit if a difference exceeds TOLERANCE.
    """
    chosen = pictures[:2]
    maps = {program: _maps(starts[program], chosen) for program in ("anomalib behind FastAPI", *TOLERANCE)}
    expected, found = maps.pop("anomalib behind FastAPI"), {}
    for program, each in maps.items():
        pairs = zip(each, expected, strict=True)
        found[program] = max(float(np.abs(ours - theirs).max() / theirs.max()) for ours, theirs in pairs)
        if not found[program] <= TOLERANCE[program]:
            raise SystemExit(f"{name}: maps of {program} differ by {found[program]:.2g}; nothing is measured")
    return found


def _maps(start: Start, pictures: Sequence[bytes]) -> list[NDArray[np.float32]]:
    with start() as server:
        assert server.map is not None
        connection = connect(server)
        answers = [post(connection, server.map, body(picture, server.field)) for picture in pictures]
    return [np.load(io.BytesIO(answer)) for answer in answers]


def _measured(start: Start, pictures: Sequence[bytes], requests: int, bare: float) -> tuple[dict[str, float], object]:
    """The throughput and latencies of a server, and its report on how it runs the model."""
    found: dict[str, float] = {"bare network, pictures/s": bare} if bare else {}
    with start() as server:
        load(server, pictures, 2, 4)
        for clients in CLIENTS:
            seen = load(server, pictures, clients, requests if clients > 1 else max(requests // 4, 4))
            found |= {
                f"{clients} clients, pictures/s": seen.pictures_per_s,
                f"{clients} clients, p50 s": seen.quantile(0.5),
                f"{clients} clients, p95 s": seen.quantile(0.95),
            }
        found["peak MiB"] = server.peak_mib()
        return found, server.execution()


if __name__ == "__main__":
    main()
