"""Plots throughput as bars to an SVG beside the JSON results."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path

COLOURS = {
    "anomalib behind FastAPI": "#9aa0a6",
    "anomalib behind LitServe": "#c3c7cb",
    "float32": "#1f77b4",
    "auto": "#0b3d66",
}


def plot(results: Sequence[Path], name: str = "throughput") -> Path:
    """Plots the medians at 16 clients, as multiples of anomalib behind FastAPI, to an SVG beside the JSON files."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "tessera"
    from matplotlib import pyplot

    contents = [json.loads(result.read_text()) for result in results]
    rows = {content["row"]: content for content in contents}
    figure, axes = pyplot.subplots(figsize=(9, 0.9 * len(rows) + 1.6), layout="constrained")
    width = 0.8 / len(COLOURS)
    for number, (program, colour) in enumerate(COLOURS.items()):
        places = [place + (number - 1.5) * width for place in range(len(rows))]
        ratios = [row["times_anomalib_behind_fastapi"].get(program, 0.0) for row in rows.values()]
        label = program if program.startswith("anomalib") else f"Tessera, {program} precision"
        bars = axes.barh(places, ratios, width, label=label, color=colour)
        measured = [row["medians"].get(program) for row in rows.values()]
        labels = [f"{each['16 clients, pictures/s']:.2f}/s" if each else "not measured" for each in measured]
        axes.bar_label(bars, labels, padding=3, fontsize=8)
    axes.set_yticks(range(len(rows)), list(rows))
    axes.invert_yaxis()
    axes.set_xlabel("pictures per second, as times anomalib behind FastAPI with a lock (16 clients)")
    axes.set_title(f"1024 x 1024 PNG, tiles of 256, ResNet-18, {contents[0]['hardware']['processor']}", fontsize=10)
    axes.legend(fontsize=8, frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    path = results[0].with_name(f"{contents[0]['hardware']['date']}-{name}.svg")
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)
    return path


if __name__ == "__main__":
    plot([Path(argument) for argument in sys.argv[1:]])
