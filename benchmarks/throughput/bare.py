"""The limit: the same network at the same precision on the same tiles, in a loop with nothing around it.

python -m benchmarks.throughput.bare NAME WORK [--precision P]        prints pictures per second
"""

import argparse
from pathlib import Path
from statistics import median
from time import perf_counter

from app.artifacts import ModelRepository, load_artifact
from app.decoding import decode
from app.runtime import RunOptions
from app.settings import Settings

ROUNDS = 8


def main() -> None:
    """The command line."""
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
    seconds = []
    for _ in range(ROUNDS):
        started = perf_counter()
        for tiles in batches:
            model.run(tiles)
        seconds.append(perf_counter() - started)
    print(1 / median(seconds))


if __name__ == "__main__":
    main()
