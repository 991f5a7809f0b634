"""One and two real servers beside the simulation.

    python -m benchmarks.capacity [--size 384] [--pictures 300] [--rates 0.3 0.6 0.85] [--servers 1 2]

Each server is a process on a core of its own that serves the demo model. First `tessera bench` measures the model on as
many cores at once as there will be servers. Then pictures are sent to the servers in turn: at random times, at these
shares of the rate that is predicted as the highest one, and by clients that wait for no one but their answers. The
simulation gets the times at which the pictures were sent. The client runs on the same cores, and takes little. Run it
while nothing else runs; the result has the load of the machine before and after. Needs nothing but the demo.
"""

import argparse
import io
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import mean
from tempfile import TemporaryDirectory

import torch
from PIL import Image

from app.artifacts import ModelRepository, load_artifact
from app.runtime import RunOptions
from app.sizing import Demand, Figures, FileFormat, Place, Work, read_figures, work_of
from app.sizing.cluster import (
    Balance,
    Cluster,
    Layout,
    Outcome,
    layout_of,
    poisson,
    simulate_closed,
    simulate_open,
)
from benchmarks.capacity.clients import Answers, closed, opened
from benchmarks.hardware import write
from benchmarks.throughput.servers import Server, running

ROOT = Path(__file__).parent.parent.parent
MODELS, NAME, CPU = ROOT / "models", "demo", torch.device("cpu")
SERVED = ("--models_dir", str(MODELS), "--precision", "float32", "--device", "cpu")
CLUSTER = Cluster(ingresses=0, processors=1, network_gbit_s=100, latency_ms=0.05)
"""The loopback interface; its network is no limit."""
CLIENTS = 4
"""The clients of each server that wait for their answers."""
WARM_UP = 6


@dataclass(frozen=True, slots=True)
class Row:
    """What was measured and predicted with a number of servers. `load`: how pictures were sent."""

    servers: int
    load: str
    sent_per_s: float | None
    measured: dict[str, float]
    predicted: dict[str, float]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=384, help="the edge of the pictures in pixels")
    parser.add_argument("--pictures", type=int, default=300, help="of each measurement")
    parser.add_argument("--rates", type=float, nargs="+", default=[0.3, 0.6, 0.85])
    parser.add_argument("--servers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--name", default="capacity", help="of the file of results")
    given = parser.parse_args()
    cores = sorted(os.sched_getaffinity(0))
    if max(given.servers) > len(cores):
        raise SystemExit(f"{max(given.servers)} servers need a core each, and there are {len(cores)}; give --servers")
    picture = _picture(given.size)
    before, rows, figures = os.getloadavg(), list[Row](), dict[int, Figures]()
    for count in given.servers:
        figures[count] = _figures(cores[:count])
        work = replace(_work(figures[count], given.size), file_bytes=float(len(picture)))
        layout = layout_of(work, CLUSTER, count, 0)
        for row in _rows(cores[:count], picture, layout, given):
            rows.append(row)
            print(row, flush=True)
    write(
        given.name,
        {
            "load_average": {"before": before, "after": os.getloadavg()},
            "size": given.size,
            "pictures": given.pictures,
            "cluster": asdict(CLUSTER),
            "figures": {str(count): asdict(each) for count, each in figures.items()},
            "rows": [asdict(row) for row in rows],
        },
    )


def _picture(edge: int) -> bytes:
    """A part of the demo's example, as a PNG file."""
    file = io.BytesIO()
    with Image.open(ROOT / "examples/defect.png") as image:
        image.crop((0, 0, edge, edge)).save(file, "PNG")
    return file.getvalue()


@contextmanager
def _on(core: int) -> Iterator[None]:
    """Processes that are started within the `with` block run on this core."""
    own = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, own)


def _figures(cores: Sequence[int]) -> Figures:
    """The mean of what `tessera bench` measures on each of these cores at the same time."""
    with TemporaryDirectory() as folder:
        files = [Path(folder) / f"{core}.json" for core in cores]
        benches = []
        for core, file in zip(cores, files, strict=True):
            command = [sys.executable, "-m", "app", "bench", "--name", NAME, *SERVED, "--figures", str(file)]
            with _on(core):
                benches.append(subprocess.Popen(command))
        for bench in benches:
            if bench.wait():
                raise RuntimeError(f"tessera bench ended with status {bench.returncode}")
        place = replace(Place.here(CPU), processors=1)
        found = [next(iter(read_figures(file, place).values())) for file in files]
    print(*found, sep="\n", flush=True)
    return replace(found[0], pixel_s=mean(each.pixel_s for each in found))


def _work(figures: Figures, edge: int) -> Work:
    model = load_artifact(ModelRepository(MODELS).find(NAME), CPU, RunOptions(batch_tiles=None)).model
    return work_of(model, figures, Demand((edge, edge), 1.0, FileFormat.png))


def _rows(cores: Sequence[int], picture: bytes, layout: Layout, given: argparse.Namespace) -> Iterator[Row]:
    with ExitStack() as stack:
        servers = [stack.enter_context(_server(core)) for core in cores]
        closed(servers, picture, len(servers), WARM_UP * len(servers))
        for share in given.rates:
            rate = share * layout.limits()[0].pictures_per_s
            answers = opened(servers, picture, list(poisson(rate, given.pictures, given.seed)))
            predicted = simulate_open(layout, answers.sent_s, Balance.in_turn, warm_up=0)
            yield Row(len(servers), f"{share:g} of the highest rate", rate, _seen(answers), _seen(predicted))
        clients = CLIENTS * len(servers)
        answers = closed(servers, picture, clients, given.pictures)
        predicted = simulate_closed(layout, clients, given.pictures, Balance.in_turn, warm_up=0)
        yield Row(len(servers), f"{clients} clients", None, _seen(answers), _seen(predicted))


@contextmanager
def _server(core: int) -> Iterator[Server]:
    arguments = ["-m", "app", "serve", *SERVED, "--cpu_lanes", "1", "--log_level", "warning"]
    with ExitStack() as stack:
        with _on(core):
            process, port = stack.enter_context(running(arguments, port_option="--port"))
        yield Server(process, port, f"/v1/models/{NAME}/predict", None)


def _seen(found: Answers | Outcome) -> dict[str, float]:
    return {
        "pictures_per_s": round(found.pictures_per_s, 3),
        "p50_s": round(found.quantile(0.5), 4),
        "p95_s": round(found.quantile(0.95), 4),
    }


if __name__ == "__main__":
    main()
