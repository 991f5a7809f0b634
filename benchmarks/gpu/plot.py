"""Plots the results: throughput beside its limits, the search, and the time of each stage of a picture."""

from pathlib import Path
from typing import Any

from benchmarks.gpu.results import Figures, figures_of

Axes = Any  # matplotlib has no types


def plot(results: Figures, path: Path) -> None:
    """Plots the results that exist to an SVG file."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "tessera"
    from matplotlib import pyplot

    content: dict[str, Any] = dict(results)
    figure, (top, bottom) = pyplot.subplots(2, 2, figsize=(13, 9), layout="constrained")
    _engine(top[0], content)
    _search(top[1], content)
    _served(bottom[0], content)
    _stages(bottom[1], content)
    hardware = content["hardware"]
    card = hardware["gpu"] or hardware["processor"]
    figure.suptitle(f"{card}, torch {hardware['versions']['torch']}, {content['date']} ({content['scale']})")
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)


def _engine(axes: Axes, content: dict[str, Any]) -> None:
    found = figures_of(content, "engine")
    compiled = figures_of(content, "compiled")
    for number, (name, row) in enumerate(found.items()):
        bars = {"raw network": max(row["raw_tiles_per_s"].values()), **row["tiles_per_s"]}
        if name in compiled:
            bars["torch.compile"] = max(compiled[name].values())
        height = 0.8 / len(bars)
        for place, (label, value) in enumerate(bars.items()):
            bar = axes.barh(number - 0.4 + (place + 0.5) * height, value, height, color=f"C{place}")
            axes.bar_label(bar, [f"{label}: {value:,.0f}"], padding=3, fontsize=7)
    axes.set_yticks(range(len(found)), list(found))
    axes.margins(x=0.3)
    axes.set_title("tiles per second, pictures in memory", fontsize=10)


def _search(axes: Axes, content: dict[str, Any]) -> None:
    ways: dict[str, list[tuple[float, float]]] = {}
    for name, row in figures_of(content, "search").items():
        for way, seconds in row["seconds"].items():
            key = f"{way}, {name.split(', ')[1]}"
            ways.setdefault(key, []).append((float(name.split()[0]), 1e6 * seconds / row["queries"]))
    for way, points in ways.items():
        axes.plot(*zip(*points, strict=True), marker="o", label=way)
    if ways:
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.legend(fontsize=7, frameon=False)
    axes.set_xlabel("rows of the bank")
    axes.set_title("search, microseconds a patch", fontsize=10)


def _served(axes: Axes, content: dict[str, Any]) -> None:
    found = figures_of(content, "serving")
    values = [row["pictures_per_s"] for row in found.values()]
    bars = axes.barh(range(len(found)), values, color="C0")
    labels = [f"{row['pictures_per_s']:.1f}/s, p95 {1000 * row['p95_s']:.0f} ms" for row in found.values()]
    axes.bar_label(bars, labels, padding=3, fontsize=7)
    axes.set_yticks(range(len(found)), list(found), fontsize=7)
    axes.margins(x=0.25)
    axes.invert_yaxis()
    axes.set_title("pictures per second through HTTP", fontsize=10)


def _stages(axes: Axes, content: dict[str, Any]) -> None:
    found = content.get("roofline", {})
    starts = [0.0] * len(found)
    stages = list(dict.fromkeys(stage for row in found.values() for stage in row["stages"] if stage != "queue"))
    for stage in stages:
        values = [1000 * row["stages"][stage]["taken_s"] for row in found.values()]
        axes.barh(range(len(found)), values, left=starts, label=stage)
        starts = [start + value for start, value in zip(starts, values, strict=True)]
    axes.set_yticks(range(len(found)), list(found), fontsize=7)
    axes.invert_yaxis()
    if stages:
        axes.legend(fontsize=7, frameon=False)
    axes.set_title("milliseconds of work a picture", fontsize=10)
