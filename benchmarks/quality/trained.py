"""The figures of `benchmarks.quality` for detectors that do not share the features of one network pass.

    .venv/bin/python -m benchmarks.quality.trained --root DIR --work DIR --only PaDiM [--draws 10] [--pictures 40]

Each draw trains a model by `tessera train` on the same pictures as there, and evaluates it by `tessera evaluate`.
"""

import argparse
import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from app.data import MVTec
from benchmarks.command_line import with_root
from benchmarks.quality.draws import append, drawn, runs, runs_file

CATEGORY = "surface"
DETECTORS: Mapping[str, tuple[str, ...]] = {
    "PaDiM, shipped": ("--model", "Padim", "--data.image_size", "[1280, 512]"),
    "STFPM, shipped, 20 epochs": ("--model", "Stfpm", "--trainer.max_epochs", "20"),
    "Reverse Distillation, shipped, 10 epochs": ("--model", "ReverseDistillation", "--trainer.max_epochs", "10"),
    "auto": ("--model", "Auto"),
}
"""The options of `tessera train`. PaDiM needs pictures of one size; this one is the nearest multiple of the tile."""


def main() -> None:
    parser = with_root(__doc__)
    parser.add_argument("--work", type=Path, required=True, help="a folder for models and results")
    parser.add_argument("--pictures", type=int, default=40, help="training pictures of a draw")
    parser.add_argument("--draws", type=int, default=10)
    parser.add_argument("--only", nargs="*", help="parts of the names of detectors")
    given = parser.parse_args()
    file = runs_file(given.work, "KolektorSDD", given.pictures)
    known = {(run["name"], run["draw"]) for run in runs(file)}
    for name, options in DETECTORS.items():
        for draw in range(given.draws):
            wanted = not given.only or any(part in name for part in given.only)
            if wanted and (name, draw) not in known:
                figures = _measured(options, _data(given, draw), given.work / "trained")
                append(file, [{"name": name, "rule": "own", "draw": draw, **figures}])


def _data(given: argparse.Namespace, draw: int) -> Path:
    """A folder in MVTec AD's layout with links to the training pictures of a draw and to all test pictures."""
    root: Path = given.work / "draws" / f"{given.pictures}-{draw}"
    if not root.exists():
        source = (given.root / CATEGORY).resolve()
        train = MVTec(str(given.root), CATEGORY).train_pictures()
        good = root / CATEGORY / "train" / "good"
        good.mkdir(parents=True)
        for number in drawn(len(train), given.pictures, draw):
            (good / train[number].name).symlink_to(train[number].resolve())
        for part in ("test", "ground_truth"):
            shutil.copytree(source / part, root / CATEGORY / part)
    return root


def _measured(options: tuple[str, ...], data: Path, work: Path) -> dict[str, object]:
    shutil.rmtree(work, ignore_errors=True)
    models, report = str(work / "models"), work / "report"
    source = ("--data", "MVTec", "--data.root", str(data), "--data.category", CATEGORY)
    own = (sys.executable, "-m", "app")
    train = (*own, "train", *source, *options, "--name", "m", "--models_dir", models, "--assess", "false")
    evaluate = (*own, "evaluate", *source, "--name", "m", "--models_dir", models, "--output", str(report))
    for command in (train, evaluate):
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    found = json.loads((report / "metrics.json").read_text())
    at = found["image"]["at_threshold"]
    scores = {
        label: [each["raw_score"] for each in found["pictures"] if each["anomalous"] is label]
        for label in (True, False)
    }
    at_rate = np.quantile(scores[False], 0.95)
    return {
        "image_auroc": found["image_auroc"],
        "recall": at["recall"],
        "false_alarms": at["false_positive_rate"],
        "recall_at_5%": float((np.array(scores[True]) > at_rate).mean()),
        "pixel_auroc": found["pixel_auroc"],
        "aupro_0.05": found["pixel"]["aupro"]["0.05"],
    }


if __name__ == "__main__":
    main()
