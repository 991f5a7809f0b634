"""The quality of bfloat16 for a well trained model: AUROC and maps of Reverse Distillation beside float32.

    python -m benchmarks.precision_trained --root DIR --weights FILE

The model is trained as in `benchmarks.kolektorsdd` (20 epochs of 60 pictures); the throughput benchmark's models are
trained only for minutes. The same network runs all test pictures in both precisions.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from app.backbones import load_weights
from app.pipeline import Preprocessing, TiledModel
from app.runtime import Candidate, Kernels, Precision, build_network, trace
from app.tiling import Tiling
from benchmarks.command_line import with_data
from benchmarks.hardware import write
from benchmarks.kolektorsdd.measuring import aurocs
from benchmarks.kolektorsdd.setting import SETTINGS, build, testing_pictures, training_pictures
from benchmarks.kolektorsdd.tessera import fit_as_set, predictions

NAME = "reverse_distillation"
SETTING = SETTINGS[NAME]


def main() -> None:
    given = with_data(__doc__).parse_args()
    torch.manual_seed(0)
    detector = build(NAME)
    load_weights(detector.backbone, given.weights)
    model = TiledModel(detector, Preprocessing(SETTING.size), Tiling(tile_size=SETTING.tile))
    fit_as_set(NAME, model, training_pictures(given.root, NAME), 0)
    exact, exact_maps = _tested(model, Precision.float32, given.root)
    half, half_maps = _tested(model, Precision.bfloat16, given.root)
    error = max(float(np.abs(a - b).max() / a.max()) for a, b in zip(exact_maps, half_maps, strict=True))
    write(
        "precision-trained", {"model": NAME, "float32": exact, "bfloat16": half, "largest_map_error": round(error, 4)}
    )


def _tested(model: TiledModel, precision: Precision, root: Path) -> tuple[dict[str, float], list[NDArray[np.float32]]]:
    tile = SETTING.tile, SETTING.tile
    network = build_network(trace(model.detector.eval()), Candidate(precision, Kernels.fused), tile)
    model = model.with_execution(replace(model.execution, network=network))
    tests = testing_pictures(root)
    scores, maps = predictions(model, tests, SETTING.size)
    return aurocs(tests, scores, maps, SETTING.size), maps


if __name__ == "__main__":
    main()
