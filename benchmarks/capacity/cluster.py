"""Predictions for clusters of up to 1,000 cards: a table, and plots of what limits them.

    .venv-bench/bin/python -m benchmarks.capacity.cluster [--measured benchmarks/results/DATE-capacity.json]

Decoding is that of `benchmarks/decoding.py`, maps and drawing that of `benchmarks.capacity`, whose newest results are
taken by default. No card was measured: the fast one computes as many tiles as docs/performance.md calculates, the other
one a tenth of that. Needs matplotlib.
"""

import argparse
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch

from app.artifacts import ModelRepository, load_artifact
from app.runtime import RunOptions
from app.sizing import ANSWER_BYTES, BUSY_SHARE, Demand, Figures, FileFormat, Work, work_of
from app.sizing.cluster import (
    Balance,
    Cluster,
    Resource,
    ingresses_for,
    layout_of,
    poisson,
    short_queues_rate,
    simulate_open,
)
from benchmarks.capacity.plot import Curve, Curves, plot
from benchmarks.hardware import RESULTS, write

ROOT = Path(__file__).parent.parent.parent
DECODING = RESULTS / "2026-11-28-decoding.json"
FILES = {
    "JPEG 1024": ("drawn-1024-rgb-jpeg-420", 1024),
    "PNG 1024": ("drawn-1024-rgb-png-6", 1024),
    "JPEG 8192": ("drawn-4096-rgb-jpeg-420", 8192),
}
"""A file of DECODING, and the edge of the pictures, which are as many times as large."""
CARDS = {"fast card": 72_000.0, "slow card": 7_200.0}
"""Tiles of 256 x 256 pixels a second: calculated and assumed, not measured."""
TILE, CELL, FLOAT = 256, 8, 4
CLUSTER = Cluster(network_gbit_s=25.0).with_processors(16)
PROXY = replace(CLUSTER, ingresses=1, hop_ms=0.1, hop_ns_per_byte=0.3)
"""An ingress that passes requests on in compiled code; its times are assumed."""
COUNTS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000)
TABLE = (1, 10, 100, 1_000)
ENGINES = (1, 2, 4, 8, 16)
BLOCK_TILES = 4
PICTURES = 20_000
COLUMNS = (
    "cards",
    "ingresses",
    "pictures/s",
    "processors for HTTP and decoding",
    "Gbit/s in",
    "p50, p95 in ms",
    "card hours for a million",
    "limit",
)


@dataclass(frozen=True, slots=True)
class Row:
    """A cluster at the rate with short queues.

    decoding, gbit_s: the processors of all servers that are busy with HTTP and decoding; the network into the cluster
    card_hours: of a million pictures
    limit: the resource that is busy for the longest time
    """

    cards: int
    ingresses: int
    pictures_per_s: float
    decoding: float
    gbit_s: float
    p50_s: float
    p95_s: float
    card_hours: float
    limit: str


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--measured", type=Path, help="of benchmarks.capacity")
    given = parser.parse_args()
    measured = given.measured or max(RESULTS.glob("*-capacity.json"))
    figures = Figures(**json.loads(measured.read_text())["figures"]["1"])
    works = {(card, name): _work(figures, tiles_per_s, name) for card, tiles_per_s in CARDS.items() for name in FILES}
    tables = {f"{card}, JPEG 1024": [_row(works[card, "JPEG 1024"], CLUSTER, n) for n in TABLE] for card in CARDS}
    curves = {
        "rates": _rates(works["slow card", "JPEG 1024"]),
        "processors": _processors(works),
        "latencies": _latencies(works["slow card", "JPEG 1024"]),
        "engines": dict(_divided(works, figures)),
    }
    path = write(
        "capacity-cluster",
        {
            "measured": measured.name,
            "assumed": {"tiles_per_s": CARDS, "cluster": asdict(CLUSTER), "compiled_proxy": asdict(PROXY)},
            "works": {f"{card}, {name}": asdict(work) for (card, name), work in works.items()},
            "tables": {name: [asdict(row) for row in rows] for name, rows in tables.items()},
            "curves": curves,
        },
    )
    plot(curves, path.with_suffix(".svg"))
    path.with_suffix(".md").write_text(_markdown(tables))


def _work(figures: Figures, tiles_per_s: float, name: str) -> Work:
    """A picture in tiles that do not overlap, for a card that computes so many tiles a second."""
    file, edge = FILES[name]
    decoded = json.loads(DECODING.read_text())["files"][file]
    times = (edge / int(file.split("-")[1])) ** 2
    return Work(
        on_cpu=False,
        device_s=(edge / TILE) ** 2 / tiles_per_s,
        decode_s=decoded["seconds"]["tessera"] * times,
        map_s=figures.map_s * edge**2,
        render_s=0.0,
        file_bytes=decoded["bytes"] * times,
        answer_bytes=ANSWER_BYTES,
        pixel_bytes=3 * edge**2,
        distance_bytes=FLOAT * (edge // CELL) ** 2,
        tiles=(edge // TILE, edge // TILE),
        shared=(0, 0),
    )


def _row(work: Work, cluster: Cluster, cards: int) -> Row:
    rate = short_queues_rate(work, cluster, cards)
    ingresses = ingresses_for(work, cluster, cards, rate)
    layout = layout_of(work, cluster, cards, ingresses)
    found = simulate_open(layout, poisson(rate, max(PICTURES, 20 * cards), 0), cluster.balance)
    return Row(
        cards,
        ingresses,
        round(rate, 1),
        round(rate * layout.seconds(Resource.server_processors), 1),
        round(rate * work.file_bytes * 8 / 1e9, 2),
        round(found.quantile(0.5), 4),
        round(found.quantile(0.95), 4),
        round(1e6 * cards / rate / 3600, 3),
        layout.limits()[0].resource.value,
    )


def _rates(work: Work) -> Curves:
    """Pictures per second with short queues by the number of cards, for some ingresses."""
    kinds = {
        "as many ingresses as needed": CLUSTER,
        "1 ingress in Python": replace(CLUSTER, ingresses=1),
        "10 ingresses in Python": replace(CLUSTER, ingresses=10),
        "1 compiled proxy": PROXY,
        "1 compiled proxy, 100 Gbit/s": replace(PROXY, network_gbit_s=100.0),
    }
    return {name: [(cards, short_queues_rate(work, each, cards)) for cards in COUNTS] for name, each in kinds.items()}


def _processors(works: dict[tuple[str, str], Work]) -> Curves:
    """Pictures per second of a card with short queues by the processors beside it."""
    found: Curves = {}
    for (card, name), work in works.items():
        if name != "JPEG 8192":
            counts = (1, 2, 4, 8, 16, 32, 64, 128)
            kinds = [(count, replace(CLUSTER, processors=count)) for count in counts]
            found[f"{card}, {name}"] = [(count, short_queues_rate(work, each, 1)) for count, each in kinds]
    return found


def _latencies(work: Work) -> Curves:
    """The 95 % quantile of the latency of 100 cards by the share of the highest rate, in milliseconds."""
    layout = layout_of(work, CLUSTER, 100, ingresses_for(work, CLUSTER, 100, short_queues_rate(work, CLUSTER, 100)))
    highest = layout.limits()[0].pictures_per_s
    return {
        balance.value.replace("_", " "): [
            (share, 1000 * simulate_open(layout, poisson(share * highest, PICTURES, 0), balance).quantile(0.95))
            for share in (0.3, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
        ]
        for balance in Balance
    }


def _divided(works: dict[tuple[str, str], Work], figures: Figures) -> Iterator[tuple[str, Curve]]:
    """Seconds of a picture of 8192 x 8192 that is alone, by the engines that share it."""
    model = load_artifact(
        ModelRepository(ROOT / "models").find("demo"), torch.device("cpu"), RunOptions(batch_tiles=None)
    ).model
    demand = Demand((8192, 8192), 1.0, FileFormat.jpeg)
    kinds = {card: works[card, "JPEG 8192"] for card in CARDS}
    kinds["one processor, the demo model"] = work_of(model, figures, demand)
    for name, work in kinds.items():
        cluster = replace(CLUSTER, block_tiles=BLOCK_TILES, processors=1 if work.on_cpu else CLUSTER.processors)
        layouts = [(count, layout_of(work, cluster, count, 1)) for count in ENGINES]
        yield (
            name,
            [(count, simulate_open(each, [0.0], cluster.balance, warm_up=0).seconds[0]) for count, each in layouts],
        )


def _markdown(tables: dict[str, list[Row]]) -> str:
    lines = [f"Machines are busy for {BUSY_SHARE:.0%} of the time at most. Cards and hops are assumed, not measured."]
    for name, rows in tables.items():
        lines += ["", f"## {name}", ""]
        lines += [f"| {' | '.join(COLUMNS)} |", "|---" * len(COLUMNS) + "|"]
        lines += [f"| {' | '.join(_cells(row))} |" for row in rows]
    return "\n".join([*lines, ""])


def _cells(row: Row) -> tuple[str, ...]:
    return (
        f"{row.cards:,}",
        f"{row.ingresses:,}",
        f"{row.pictures_per_s:,.0f}",
        f"{row.decoding:,.0f}",
        f"{row.gbit_s:,.1f}",
        f"{1000 * row.p50_s:.0f}, {1000 * row.p95_s:.0f}",
        f"{row.card_hours:.2f}",
        row.limit,
    )


if __name__ == "__main__":
    main()
