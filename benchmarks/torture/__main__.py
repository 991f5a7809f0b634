"""Attacks servers in every way that is known, and writes one table of what was seen.

    make torture
    make torture TORTURE="--parts damage tricks --files 1000"
    .venv/bin/python -m benchmarks.torture --parts mixed --minutes 5

Each part is seeded and bounded. `--short` makes every part as short as it can be. Writes a JSON file and a table to
`benchmarks/results/`, and ends with status 1 if something was wrong. Needs nothing but the demo.
"""

import argparse
import io
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic

from PIL import Image

from benchmarks.torture import connections, damage, end, kill, mixed, retry_after, tricks, v2
from benchmarks.torture.found import Found
from benchmarks.torture.served import ROOT, served
from benchmarks.torture.table import write_table

MODEL = "demo"
ATTACK_S, SHORT_S = 8.0, 3.0
"""The duration of each attack by connections."""
EDGE = 512
"""The edge of the good picture beside the tricks: nine tiles of the demo."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", nargs="+", default=list(PARTS), choices=list(PARTS), metavar="PART")
    parser.add_argument("--minutes", type=float, default=30.0, help="the duration of the mixed load, after its warm-up")
    parser.add_argument("--files", type=int, default=10_000, help="the number of damaged files")
    parser.add_argument("--rounds", type=int, default=50, help="how often a process is killed")
    parser.add_argument("--ends", type=int, default=20, help="how often a server is stopped under load")
    parser.add_argument("--tricks", nargs="+", default=[], help="only tricks whose names contain one of these words")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--short", action="store_true", help="the shortest form of each part")
    parser.add_argument("--name", default="torture", help="of the files of results; several parts may be joined later")
    given = parser.parse_args()
    if given.short:
        given.minutes, given.files, given.rounds, given.ends = 0.5, 200, 5, 1
    found: dict[str, tuple[Found, float]] = {}
    for number, name in enumerate(given.parts):
        print(f"{name} ({number + 1} of {len(given.parts)})", flush=True)
        started = monotonic()
        found[name] = PARTS[name](given), monotonic() - started
        write_table(given.name, {"seed": given.seed, "short": given.short}, found)  # also if a later part is stopped
    sys.exit(any(each.faults for each, _ in found.values()))


def _damage(given: argparse.Namespace) -> Found:
    with served(ROOT / "models") as server:
        return damage.run(server, MODEL, given.files, given.seed)


def _tricks(given: argparse.Namespace) -> Found:
    names = given.tricks or (SHORT_TRICKS if given.short else [])
    with repository() as models, served(models) as server, served(ROOT / "models") as control:
        return tricks.run(server, control, tricks.good_picture(MODEL, _good()), names)


def _mixed(given: argparse.Namespace) -> Found:
    with repository() as models, served(ROOT / "models") as control:
        mixed.train_models(models)
        return mixed.run(models, 60 * given.minutes, given.seed, control)


def _end(given: argparse.Namespace) -> Found:
    return end.run(given.ends, 1)


def _kill(given: argparse.Namespace) -> Found:
    return kill.run(given.rounds, given.seed)


def _connections(given: argparse.Namespace) -> Found:
    with served(ROOT / "models") as control:
        if given.short:
            return connections.run(control, SHORT_S, ["half a head", "half a body"], [(256, 300)])
        return connections.run(control, ATTACK_S)


def _v2(given: argparse.Namespace) -> Found:
    with served(ROOT / "models") as server, served(ROOT / "models") as control:
        return v2.run(server, control, 2 if given.short else 8)


def _retry_after(given: argparse.Namespace) -> Found:
    return retry_after.run([50] if given.short else [50, 150, 300])


@contextmanager
def repository() -> Iterator[Path]:
    """A copy of the demo's repository, which may be changed."""
    with TemporaryDirectory(prefix="tessera-torture-") as folder:
        yield Path(shutil.copytree(ROOT / "models", Path(folder) / "models"))


def _good() -> bytes:
    file = io.BytesIO()
    Image.open(ROOT / "examples/normal.png").crop((0, 0, EDGE, EDGE)).save(file, "PNG")
    return file.getvalue()


SHORT_TRICKS = [
    "300,000 x 1",
    "comments",
    "whole scans",
    "NaN",
    "equal keys",
    "members",
    "stall",
    "pipe",
    "decoders are",
]
"""A trick of each kind."""
PARTS: dict[str, Callable[[argparse.Namespace], Found]] = {
    "mixed": _mixed,
    "damage": _damage,
    "tricks": _tricks,
    "end": _end,
    "kill": _kill,
    "connections": _connections,
    "v2": _v2,
    "retry-after": _retry_after,
}

if __name__ == "__main__":
    main()
