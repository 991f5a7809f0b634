"""What Ray Serve costs: throughput of one replica behind its proxy, beside the server of its own, in turn.

    python -m benchmarks.ray_overhead [--rounds 6] [--requests 48]

Both serve the demo model to 16 clients, which post PNG pictures of 1024 x 1024 pixels, on all processors of this
machine and with the model run in the same way, which each would otherwise choose by measurements of its own. The one
that is not measured waits. The scores of both must be equal. Needs the extra `ray`, and nothing but the demo.
"""

import argparse
import io
import json
import os
from statistics import median

import numpy as np
from PIL import Image

from benchmarks.hardware import write
from benchmarks.throughput.clients import Load, body, connect, load, post
from benchmarks.throughput.servers import Server, running
from tests.clusters import free_port

NAME, CLIENTS, EDGE, WARM_UP = "demo", 16, 1024, 16
PREDICT = f"/v1/models/{NAME}/predict"
PROCESSORS = os.cpu_count() or 1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--requests", type=int, default=48, help="of each measurement")
    given = parser.parse_args()
    pictures = [surface(seed) for seed in range(4)]
    options = ["--models_dir", "models", "--precision", "float32", "--batch_tiles", "4"]
    options += ["--cpu_lanes", str(PROCESSORS)]
    cluster = ["-m", "app", "cluster", "up", *options, "--replicas", "1", "--processors", str(PROCESSORS)]
    cluster += ["--ray_port", str(free_port()), "--dashboard_port", str(free_port())]
    with (
        running(["-m", "app", "serve", *options], port_option="--port") as (process, port),
        running(cluster, port_option="--port") as (head, ray_port),
    ):
        plain, ray = Server(process, port, PREDICT, None), Server(head, ray_port, PREDICT, None)
        scores = [[score(server, picture) for picture in pictures] for server in (plain, ray)]
        if scores[0] != scores[1]:
            raise SystemExit(f"the scores differ: {scores}")
        for server in (plain, ray):
            load(server, pictures, CLIENTS, WARM_UP)
        runs = []
        for number in range(given.rounds):
            order = (plain, ray) if number % 2 else (ray, plain)
            rates = {id(server): load(server, pictures, CLIENTS, given.requests) for server in order}
            runs.append({name: figures(rates[id(server)]) for name, server in (("plain", plain), ("ray", ray))})
            print(runs[-1], flush=True)
    ratios = [round(run["ray"]["pictures_per_s"] / run["plain"]["pictures_per_s"], 4) for run in runs]
    write(
        "ray-overhead",
        {
            "clients": CLIENTS,
            "picture": f"PNG, {EDGE} x {EDGE}, {len(pictures[0]):,} bytes",
            "processors": PROCESSORS,
            "load_average": os.getloadavg(),
            "requests": given.requests,
            "runs": runs,
            "ratios": ratios,
            "median_ratio": median(ratios),
        },
    )


def figures(measured: Load) -> dict[str, float]:
    """The pictures per second, and the median time of a request in milliseconds."""
    return {
        "pictures_per_s": round(measured.pictures_per_s, 3),
        "median_ms": round(1000 * measured.quantile(0.5), 1),
    }


def surface(seed: int) -> bytes:
    """A PNG file of a grey surface with noise."""
    noise = np.random.default_rng(seed).normal(128, 6, (EDGE, EDGE, 3))
    file = io.BytesIO()
    Image.fromarray(noise.clip(0, 255).astype(np.uint8)).save(file, "PNG", compress_level=1)
    return file.getvalue()


def score(server: Server, picture: bytes) -> object:
    return json.loads(post(connect(server), server.predict, body(picture, server.field)))["raw_score"]


if __name__ == "__main__":
    main()
