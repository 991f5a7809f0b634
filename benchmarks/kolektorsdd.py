"""Quality, time and memory of training on KolektorSDD, in the settings of the reference measurement.

    python -m benchmarks.kolektorsdd padim --root ../shared/data/kolektorsdd --weights ../shared/weights/FILE
    python -m benchmarks.kolektorsdd patchcore ...

Pictures of 1280 x 512, tiles of 256 with a stride of 256, ResNet-18. PaDiM is fitted to the first 60 training pictures,
PatchCore to the first 40 with a coreset of 1 %; both are tested on all test pictures. AUROC is exact, over all pixels.
"""

import argparse
import resource
from pathlib import Path
from time import perf_counter

import numpy as np
import torch
from PIL import Image

from app.backbones import load_weights
from app.data import MVTec, decoded
from app.detectors import Detector, Padim, Patchcore
from app.pipeline import BATCH_TILES, Preprocessing, TiledModel, predict
from app.scoring import auroc, resize_map
from app.tiling import Tiling
from app.training.one_pass import fit
from benchmarks.hardware import write

SIZE = (1280, 512)
PICTURES = {"padim": 60, "patchcore": 40}


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("detector", choices=tuple(PICTURES))
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    torch.manual_seed(given.seed)
    model = TiledModel(_detector(given.detector), Preprocessing(SIZE), Tiling(tile_size=256, stride=256))
    load_weights(model.detector.backbone, given.weights)
    data = MVTec(str(given.root), "surface", SIZE)
    fitted = _fit(model, data, PICTURES[given.detector])
    tested = _test(model, data)
    write(f"kolektorsdd-{given.detector}", {"detector": given.detector, "seed": given.seed, **fitted, **tested})


def _detector(name: str) -> Detector:
    return Padim() if name == "padim" else Patchcore("resnet18", coreset_sampling_ratio=0.01, num_neighbors=9)


def _fit(model: TiledModel, data: MVTec, count: int) -> dict[str, object]:
    stride = model.detector.feature_strides[0]
    stages: dict[str, float] = {}
    started = perf_counter()

    def progress(stage: str, done: int, total: int, note: str = "") -> None:
        if done == total:
            stages[stage] = round(perf_counter() - started, 1)

    paths = data.train_pictures()[:count]
    grid = (SIZE[0] // stride, SIZE[1] // stride)
    fit(model, decoded(paths, 2), count, grid, BATCH_TILES["cpu"], progress)
    return {
        "training_pictures": count,
        "fit_s": round(perf_counter() - started, 1),
        "fit_stages_end_s": stages,
        "fit_peak_gib": _peak_gib(),
    }


def _test(model: TiledModel, data: MVTec) -> dict[str, object]:
    tests = data.test_pictures()
    scores, maps, masks = [], [], []
    started = perf_counter()
    for test, picture in zip(tests, decoded([test.path for test in tests], 2), strict=True):
        outcome = predict(model, picture, BATCH_TILES["cpu"])
        scores.append(outcome.raw_score)
        maps.append(resize_map(outcome.anomaly_map, SIZE).numpy())
        masks.append(_mask(test.mask))
    seconds = perf_counter() - started
    peak = _peak_gib()  # with all maps and masks, before the AUROC sorts them
    return {
        "test_pictures": len(tests),
        "predict_s_per_picture": round(seconds / len(tests), 3),
        "peak_gib_with_all_maps": peak,
        "image_auroc": round(auroc(scores, [test.anomalous for test in tests]), 4),
        "pixel_auroc": round(auroc(np.stack(maps), np.stack(masks)), 4),
    }


def _mask(path: Path | None) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    if path is None:
        return np.zeros(SIZE, dtype=bool)
    with Image.open(path) as mask:
        return np.asarray(mask.convert("L").resize(SIZE[::-1], Image.Resampling.NEAREST)) > 127


def _peak_gib() -> float:
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2)


if __name__ == "__main__":
    main()
