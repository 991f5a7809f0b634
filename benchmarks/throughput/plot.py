"""Throughput as a picture: bars beside the result's JSON."""

import json
import sys
from pathlib import Path

COLOURS = {
    "anomalib behind FastAPI": "#9aa0a6",
    "anomalib behind LitServe": "#c3c7cb",
    "float32": "#1f77b4",
    "auto": "#0b3d66",
}


def plot(result: Path) -> Path:
    """Draws the medians at 16 clients, as times anomalib behind FastAPI, to an SVG beside the JSON file."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "tessera"
    from matplotlib import pyplot

    content = json.loads(result.read_text())
    rows = content["rows"]
    figure, axes = pyplot.subplots(figsize=(9, 0.9 * len(rows) + 1.6), layout="constrained")
    width = 0.8 / len(COLOURS)
    for number, (program, colour) in enumerate(COLOURS.items()):
        places = [place + (number - 1.5) * width for place in range(len(rows))]
        ratios = [row["times_anomalib_behind_fastapi"][program] for row in rows.values()]
        label = program if program.startswith("anomalib") else f"Tessera, {program} precision"
        bars = axes.barh(places, ratios, width, label=label, color=colour)
        speeds = [row["medians"][program]["16 clients, pictures/s"] for row in rows.values()]
        axes.bar_label(bars, [f"{speed:.2f}/s" for speed in speeds], padding=3, fontsize=8)
    axes.set_yticks(range(len(rows)), list(rows))
    axes.invert_yaxis()
    axes.set_xlabel("pictures per second, as times anomalib behind FastAPI with a lock (16 clients)")
    axes.set_title(f"1024 x 1024 PNG, tiles of 256, ResNet-18, {content['hardware']['processor']}", fontsize=10)
    axes.legend(fontsize=8, frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    path = result.with_suffix(".svg")
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)
    return path


if __name__ == "__main__":
    plot(Path(sys.argv[1]))
