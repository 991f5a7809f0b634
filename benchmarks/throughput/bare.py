"""The limit of the throughput: the same network at the same precision on the same tiles, in loops without other work.

python -m benchmarks.throughput.bare NAME WORK [--precision P]        prints pictures per second

One loop with all cores and one loop per core are measured; the faster of the two counts.
"""

import argparse
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from threading import Barrier
from time import perf_counter

import torch
from torch import Tensor

from app.artifacts import ModelRepository, load_artifact
from app.decoding import decode
from app.pipeline import TiledModel, use_processors
from app.runtime import RunOptions
from app.settings import Settings

ROUNDS = 8


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name")
    parser.add_argument("work", type=Path)
    parser.add_argument("--precision", default="auto")
    given = parser.parse_args()
    entry = ModelRepository(given.work / given.name / "models").find(given.name, 1)
    model = load_artifact(entry, options=RunOptions(precision=given.precision, batch_tiles=0)).model
    picture = decode((given.work / "pictures" / "00.png").read_bytes(), max_pixels=Settings().max_pixels)
    prepared = model.prepare(picture)
    batches = [
        model.cut(prepared, range(first, min(first + model.batch_tiles, prepared.plan.count)))
        for first in range(0, prepared.plan.count, model.batch_tiles)
    ]
    cores = torch.get_num_threads()
    print(max(_pictures_per_s(model, batches, loops=1), _pictures_per_s(model, batches, loops=cores)))


def _pictures_per_s(model: TiledModel, batches: Sequence[Tensor], loops: int) -> float:
    """Pictures per second of `loops` loops at once, by the median of their rounds."""
    threads = max(1, torch.get_num_threads() // loops)
    start = Barrier(loops)

    def loop(_: int) -> list[float]:
        use_processors(threads)
        seconds = []
        start.wait()
        for _ in range(ROUNDS):
            started = perf_counter()
            for tiles in batches:
                model.run(tiles)
            seconds.append(perf_counter() - started)
        return seconds

    with ThreadPoolExecutor(loops) as pool:
        found = [each for seconds in pool.map(loop, range(loops)) for each in seconds]
    return loops / median(found)


if __name__ == "__main__":
    main()
