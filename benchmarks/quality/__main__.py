"""Image and pixel AUROC, AUPRO, recall and false alarms at the calibrated threshold, over draws of training pictures.

    .venv/bin/python -m benchmarks.quality --root DIR --weights FILE --work DIR [--data KolektorSDD] [--draws 10]

The data sets are KolektorSDD, and three that are drawn: the demo's surface, the same with weak defects, and an object
that lies turned at random.
Each draw takes other training pictures; all detectors get the same ones. The network computes the features of all
pictures once per backbone. Everything else is the program's own: tiles, stitching, fitting, cross-conformal
calibration, maps, scores. Figures of pixels are slow, and are computed for the first draws only. Each run is
appended to a file in `--work`, so that an interrupted measurement continues.
"""

from dataclasses import replace
from pathlib import Path

import torch

from app.pipeline import Preprocessing, TiledModel
from app.training.fused import with_fused_network
from benchmarks.command_line import with_data
from benchmarks.hardware import write
from benchmarks.quality.configurations import CONFIGURATIONS, HALF, Configuration
from benchmarks.quality.draws import append, drawn, runs, runs_file
from benchmarks.quality.features import DataSet, load
from benchmarks.quality.measuring import measure
from benchmarks.quality.turned_objects import write_objects
from benchmarks.quality.weak_surfaces import write_weak_surfaces
from scripts.demo.dataset import Plan, write_dataset

DATA = {"KolektorSDD": "surface", "surface": "surface", "weak_surface": "weak_surface", "object": "object"}
POOL, TESTS = 100, 60  # normal pictures to draw from, and test pictures of each label, in the drawn data sets


def main() -> None:
    parser = with_data(__doc__)
    parser.add_argument("--work", type=Path, required=True, help="a folder for pictures, features and results")
    parser.add_argument("--data", choices=DATA, default="KolektorSDD")
    parser.add_argument("--pictures", type=int, default=40, help="training pictures of a draw")
    parser.add_argument("--draws", type=int, default=10)
    parser.add_argument("--pixel_draws", type=int, default=3, help="draws with figures of pixels")
    parser.add_argument("--only", nargs="*", help="parts of the names of configurations")
    given = parser.parse_args()
    chosen = [each for each in CONFIGURATIONS if not given.only or any(part in each.name for part in given.only)]
    root = folder_of(given.data, given.root, given.work)
    file = runs_file(given.work, given.data, given.pictures)
    known = {(run["name"], run["draw"]) for run in runs(file)}
    for backbone, half in dict.fromkeys((each.backbone, each.half) for each in chosen):
        own = [each for each in chosen if (each.backbone, each.half) == (backbone, half)]
        cache = given.work / f"{given.data}-{backbone}{HALF * half}"
        data = _features(own[0], root, DATA[given.data], given.weights, cache)
        for draw in range(given.draws):
            pictures = drawn(len(data.pool), given.pictures, draw)
            for each in own:
                if (each.name, draw) not in known:
                    torch.manual_seed(draw)
                    detector, pixels = each.make(given.weights), draw < given.pixel_draws
                    found = measure(detector, each.tiling, each.image_size, data, pictures, pixels)
                    append(
                        file,
                        [{"name": each.name, "rule": rule, "draw": draw, **figures} for rule, figures in found.items()],
                    )
    content = {"data": given.data, "pictures": given.pictures, "runs": list(runs(file))}
    write(f"quality-{given.data.lower()}-{given.pictures}", content)


def folder_of(name: str, kolektor: Path, work: Path) -> Path:
    """The folder of a data set; drawn data sets are written to `work` once."""
    if name == "KolektorSDD":
        return kolektor
    root = work / "pictures"
    if not (root / DATA[name] / "complete").exists():
        if name == "object":
            write_objects(root, POOL, TESTS)
        elif name == "weak_surface":
            write_weak_surfaces(root, POOL, TESTS)
        else:
            write_dataset(root, Plan(POOL, TESTS, (512, 512), seed=5))
        (root / DATA[name] / "complete").touch()
    return root


def _features(first: Configuration, root: Path, category: str, weights: Path, cache: Path) -> DataSet:
    widest = replace(first, thumbnail=True)
    detector = widest.make(weights)
    model = TiledModel(detector, Preprocessing.for_detector(detector, first.image_size), widest.tiling)
    return load(root, category, with_fused_network(model), cache)


if __name__ == "__main__":
    main()
