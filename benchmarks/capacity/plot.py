"""Plots the predictions for clusters to an SVG file."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

Axes = Any  # matplotlib has no types
Curve = Sequence[tuple[float, float]]
Curves = dict[str, Curve]


def plot(curves: Mapping[str, Curves], path: Path) -> None:
    """Plots the curves of `benchmarks.capacity.cluster`."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "tessera"
    from matplotlib import pyplot

    figure, (top, bottom) = pyplot.subplots(2, 2, figsize=(13, 9), layout="constrained")
    _lines(top[0], curves["rates"], "cards", "pictures per second with short queues, slow card, JPEG of 1024 x 1024")
    _lines(
        top[1], curves["processors"], "processors beside a card", "pictures per second of one card with short queues"
    )
    title = "95 % of the pictures are answered within ... ms: 100 slow cards"
    _lines(bottom[0], curves["latencies"], "share of the highest rate", title, logarithmic=False)
    title = "seconds of a picture of 8192 x 8192 that is alone"
    _lines(bottom[1], curves["engines"], "engines that share the picture", title)
    figure.suptitle("Predicted: cards, hops and the network are assumed; decoding and maps are measured")
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)


def _lines(axes: Axes, curves: Curves, across: str, title: str, *, logarithmic: bool = True) -> None:
    for name, points in curves.items():
        axes.plot(*zip(*points, strict=True), marker="o", markersize=3, label=name)
    if logarithmic:
        axes.set_xscale("log")
    axes.set_yscale("log")
    axes.grid(True, which="both", linewidth=0.3)
    axes.set_xlabel(across)
    axes.set_title(title, fontsize=10)
    axes.legend(fontsize=8, frameon=False)
