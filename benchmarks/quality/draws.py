"""The random draws of training pictures, the same for all detectors, and the file of the runs so far."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np


def drawn(pool: int, pictures: int, draw: int) -> list[int]:
    """The numbers of the training pictures of a draw, sorted; all of them if `pictures` exceeds the pool."""
    rng = np.random.default_rng([17, draw])
    chosen: list[int] = rng.choice(pool, min(pictures, pool), replace=False).tolist()
    return sorted(chosen)


def runs_file(work: Path, data: str, pictures: int) -> Path:
    """The file of the runs on a data set, with one run in each line."""
    return work / f"runs-{data}-{pictures}.jsonl"


def runs(file: Path) -> Iterator[dict[str, Any]]:
    """The runs so far; none if there is no file."""
    if file.exists():
        yield from (json.loads(line) for line in file.read_text().splitlines())


def append(file: Path, found: Sequence[Mapping[str, object]]) -> None:
    """Prints runs, and adds them to the file."""
    lines = [
        json.dumps({key: round(value, 4) if isinstance(value, float) else value for key, value in run.items()})
        for run in found
    ]
    print("\n".join(lines), flush=True)
    with file.open("a") as stream:
        stream.write("\n".join(lines) + "\n")
