"""Plots image AUROC against pictures per second to an SVG beside the results.

python -m benchmarks.quality.plot results/DATE-quality-kolektorsdd-40.json results/DATE-detectors.json
"""

import json
import re
import sys
from collections import defaultdict
from pathlib import Path
from statistics import fmean, stdev

from benchmarks.quality.table import Run

MARKERS = {"float32": "o", "auto": "s"}
EPOCHS = re.compile(r", \d+ epochs$")
RULES = "top", "own"
"""The rule of the score that is plotted: that of Subspace and Fusion by default, or a detector's only one."""


def plot(quality: Path, speed: Path) -> Path:
    """Plots the models that both files have. Bars are standard deviations over the draws."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "tessera"
    from matplotlib import pyplot

    measured, served = json.loads(quality.read_text()), json.loads(speed.read_text())
    groups: dict[str, list[Run]] = defaultdict(list)
    for run in measured["runs"]:
        if run["rule"] in RULES:
            groups[EPOCHS.sub("", run["name"]).removesuffix(", shipped")].append(run)
    figure, axes = pyplot.subplots(figsize=(8, 5), layout="constrained")
    for number, name in enumerate(name for name in groups if name in served["pictures_per_s"]):
        values = [run["image_auroc"] for run in groups[name]]
        mean, spread = fmean(values), stdev(values) if len(values) > 1 else 0.0
        speeds = served["pictures_per_s"][name]
        colour = f"C{number}"
        axes.plot(list(speeds.values()), [mean] * len(speeds), color=colour, linewidth=0.8)
        for precision, marker in MARKERS.items():
            axes.errorbar(speeds[precision], mean, spread, marker=marker, color=colour, capsize=3)
        axes.annotate(name, (speeds["auto"], mean), xytext=(6, 4), textcoords="offset points", fontsize=8, color=colour)
    axes.set_xscale("log")
    axes.set_xlabel("pictures of 1024 x 1024 pixels per second (circle: float32; square: auto precision)")
    axes.set_ylabel(f"image AUROC on {measured['data']}, {measured['pictures']} training pictures")
    axes.set_title(served["hardware"]["processor"], fontsize=10)
    axes.grid(alpha=0.3)
    path = quality.with_name(quality.stem + "-speed.svg")
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)
    return path


if __name__ == "__main__":
    plot(*map(Path, sys.argv[1:]))
