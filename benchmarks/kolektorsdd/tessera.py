"""Trains and tests with this program, and prints the figures as JSON."""

import json
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file

from app.backbones import load_weights
from app.data import LabelledPicture, decoded
from app.detectors import GradientDetector
from app.pipeline import BATCH_TILES, Preprocessing, TiledModel, predict
from app.scoring import fill_resized
from app.tiling import Size, Tiling
from app.training.checkpoint import Checkpoint
from app.training.gradient import Schedule, fit_by_gradient
from app.training.one_pass import fit
from benchmarks.kolektorsdd.measuring import Stopwatch, aurocs
from benchmarks.kolektorsdd.setting import SETTINGS, build, testing_pictures, training_pictures


def main(
    name: str, root: Path, weights: Path, start: Path | None, seed: int, backbone: str = "resnet18"
) -> dict[str, object]:
    """Returns the figures. `start` has the random initial tensors of the other program."""
    torch.manual_seed(seed)
    setting = SETTINGS[name]
    detector = build(name, backbone)
    load_weights(detector.backbone, weights)
    model = TiledModel(detector, Preprocessing.for_detector(detector, setting.size), Tiling(tile_size=setting.tile))
    if start is not None and start.is_file():
        model.detector.load_state_dict(load_file(start), strict=False)
    watch = Stopwatch()
    fit_as_set(name, model, training_pictures(root, name), seed)
    figures: dict[str, object] = {**watch.read("fit")}
    watch, tests = Stopwatch(), testing_pictures(root)
    scores, maps = predictions(model, tests, setting.size)
    return {**figures, **watch.read("test"), **aurocs(tests, scores, maps, setting.size)}


def predictions(
    model: TiledModel, tests: list[LabelledPicture], size: Size
) -> tuple[list[float], list[NDArray[np.float32]]]:
    """The raw score of each picture, and its map resized to `size`."""
    scores, maps = [], []
    for picture in decoded([test.path for test in tests], 1):
        outcome = predict(model, picture, BATCH_TILES["cpu"])
        scores.append(outcome.raw_score)
        resized = torch.empty(size)
        for _ in fill_resized(resized, outcome.anomaly_map):
            pass
        maps.append(resized.numpy())
    return scores, maps


def fit_as_set(name: str, model: TiledModel, paths: list[Path], seed: int) -> None:
    """Fits a model to pictures with the setting of `name`."""
    setting = SETTINGS[name]
    if not isinstance(model.detector, GradientDetector):
        stride = model.detector.feature_strides[0]
        grid = (setting.size[0] // stride, setting.size[1] // stride)
        fit(model, decoded(paths, 1), len(paths), grid, BATCH_TILES["cpu"])
        return
    schedule = Schedule(setting.epochs, setting.batch_pictures, 32, "32", seed, validate_every=setting.epochs)
    with TemporaryDirectory() as folder:
        checkpoint = Checkpoint(Path(folder) / "state", "")
        fit_by_gradient(
            model,
            lambda order: decoded([paths[number] for number in order], 1),
            len(paths),
            schedule,
            lambda _: {},
            checkpoint,
        )


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), Path(sys.argv[4]), int(sys.argv[5]))))
