"""Writes the runs of a data set as a Markdown table: means over the draws, with standard deviations.

python -m benchmarks.quality.table benchmarks/results/DATE-quality-kolektorsdd-40.json
"""

import json
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

COLUMNS = {
    "image_auroc": "image AUROC",
    "pixel_auroc": "pixel AUROC",
    "aupro_0.05": "AUPRO 0.05",
    "recall": "recall",
    "false_alarms": "false alarms",
    "recall_at_5%": "recall at 5 %",
}
Run = Mapping[str, Any]


def table(runs: Sequence[Run]) -> Iterator[str]:
    """The lines of the table, the best image AUROC first.

    `recall at 5 %` has its threshold from the test pictures. `as stated` counts the draws whose false alarms lie within
    the interval that the training stated.
    """
    groups: dict[tuple[str, str], list[Run]] = defaultdict(list)
    for run in runs:
        groups[run["name"], run["rule"]].append(run)
    yield f"| detector, backbone | score | draws | {' | '.join(COLUMNS.values())} | as stated |"
    yield "|" + "---|" * (len(COLUMNS) + 4)
    for (name, rule), own in sorted(groups.items(), key=lambda item: -fmean(run["image_auroc"] for run in item[1])):
        cells = [_cell([run[column] for run in own if column in run]) for column in COLUMNS]
        yield f"| {name} | {rule} | {len(own)} | {' | '.join(cells)} | {_as_stated(own)} |"


def _as_stated(runs: Sequence[Run]) -> str:
    """In how many draws the rate of false alarms lay within the interval that the training stated."""
    stated = [run for run in runs if "stated_low" in run]
    inside = sum(run["stated_low"] <= run["false_alarms"] <= run["stated_high"] for run in stated)
    return f"{inside} of {len(stated)}" if stated else ""


def _cell(values: Sequence[float]) -> str:
    if not values:
        return ""
    return f"{fmean(values):.3f} ± {stdev(values):.3f}" if len(values) > 1 else f"{values[0]:.3f}"


def main() -> None:
    for path in map(Path, sys.argv[1:]):
        content = json.loads(path.read_text())
        head = (
            f"# {content['data']}, {content['pictures']} training pictures a draw\n\nMeans ± standard deviations.\n\n"
        )
        path.with_suffix(".md").write_text(head + "\n".join(table(content["runs"])) + "\n")
        print("\n".join(table(content["runs"])))


if __name__ == "__main__":
    main()
