"""The quality of half precision: AUROC and maps of the precision that `auto` chooses, beside float32.

    .venv-bench/bin/python -m benchmarks.precision --root DIR --weights FILE --work DIR [--rows stfpm]

All test pictures of KolektorSDD are predicted with the models of the throughput benchmark. AUROC is exact, over all
pixels of maps of 512 x 512 pixels.
"""

import subprocess
import sys
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from app.artifacts import ModelRepository, load_artifact
from app.data import decoded
from app.pipeline import TiledModel, predict
from app.runtime import Precision, RunOptions
from app.scoring import fill_resized
from benchmarks.command_line import with_data
from benchmarks.hardware import write
from benchmarks.kolektorsdd.measuring import aurocs
from benchmarks.kolektorsdd.setting import testing_pictures
from benchmarks.throughput.models import MODELS
from benchmarks.throughput.setting import ROWS

SIZE = (512, 512)


def main() -> None:
    parser = with_data(__doc__)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument(
        "--rows", nargs="*", choices=tuple(ROWS), default=[name for name in ROWS if name[-5:] != "50000"]
    )
    given = parser.parse_args()
    rows = {}
    for name in given.rows:
        arguments = [name, str(given.root), str(given.weights), str(given.work)]
        subprocess.run([sys.executable, "-m", "benchmarks.throughput.models", *arguments], check=True)
        entry = ModelRepository(given.work / name / MODELS).find(name, 1)
        exact, chosen = (
            load_artifact(entry, options=RunOptions(precision=each)).model for each in (Precision.float32, "auto")
        )
        rows[name] = _compared(exact, chosen, given.root)
        print(name, rows[name], flush=True)
    write("precision", {"pictures": len(testing_pictures(given.root)), "rows": rows})


def _compared(exact: TiledModel, chosen: TiledModel, root: Path) -> dict[str, object]:
    """AUROC of both models, and the largest difference of their maps, as a share of each map's largest value."""
    tests, models = testing_pictures(root), {"float32": exact, "auto": chosen}
    scores: dict[str, list[float]] = {name: [] for name in models}
    maps: dict[str, list[NDArray[np.float32]]] = {name: [] for name in models}
    differences = []
    for picture in decoded([test.path for test in tests], 1):
        outcomes = {name: predict(model, picture) for name, model in models.items()}
        expected, found = outcomes["float32"].anomaly_map, outcomes["auto"].anomaly_map
        differences.append(float((found - expected).abs().max() / expected.max()))
        for name, outcome in outcomes.items():
            scores[name].append(outcome.raw_score)
            small = torch.empty(SIZE)
            for _ in fill_resized(small, outcome.anomaly_map):
                pass
            maps[name].append(small.numpy())
    figures: dict[str, object] = {"precision": chosen.network.precision}
    for name in models:
        figures |= {f"{name}, {kind}": value for kind, value in aurocs(tests, scores[name], maps[name], SIZE).items()}
    ordered = sorted(differences)
    return figures | {"map difference, median": ordered[len(ordered) // 2], "map difference, largest": ordered[-1]}


if __name__ == "__main__":
    main()
