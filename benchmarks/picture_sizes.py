"""False alarms on normal pictures whose sizes are not on the grid of tiles, by tiling mode and fill.

    python -m benchmarks.picture_sizes [--detectors Patchcore Subspace] [--crops 200]

Trains each detector on the demo's normal surface, and predicts crops of other normal pictures. Sizes and places of the
crops are random; crops on the grid of tiles are the reference. All tilings use the same trained detector, which is
possible because the training pictures are on the grid.
"""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from scipy import stats
from torch import Tensor

from app.artifacts import ModelRepository, load_artifact
from app.cli import main as tessera
from app.pipeline import TiledModel, predict
from app.tiling import PaddingFill, TilingMode
from benchmarks.hardware import write
from scripts.demo.dataset import Plan, write_dataset
from scripts.demo.surface import normal_surface

TRAIN, TILE, EDGE, SMALLEST = 50, 256, 1024, 64
OPTIONS: dict[str, tuple[str, ...]] = {
    "Patchcore": ("--model.coreset_sampling_ratio", "0.005"),
    "Subspace": (),
    "Stfpm": ("--trainer.max_epochs", "5"),
    "ReverseDistillation": ("--trainer.max_epochs", "5"),
}
TILINGS = [(mode, fill) for fill in PaddingFill for mode in (TilingMode.padding, TilingMode.cover)]


@dataclass(frozen=True, slots=True)
class Crop:
    """A part of a normal picture, [3,h,w] uint8."""

    pixels: Tensor
    on_grid: bool


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--detectors", nargs="+", choices=OPTIONS, default=list(OPTIONS))
    parser.add_argument("--crops", type=int, default=200, help="crops of random sizes, and as many on the grid")
    parser.add_argument("--fills", nargs="+", type=PaddingFill, choices=PaddingFill, default=list(PaddingFill))
    parser.add_argument("--stride", type=int, default=TILE)
    given = parser.parse_args()
    crops = list(_crops(given.crops))
    results: dict[str, list[dict[str, object]]] = {}
    with TemporaryDirectory() as temporary:
        write_dataset(Path(temporary), Plan(train=TRAIN, test=0))
        for name in given.detectors:
            model = _trained(Path(temporary), name, given.stride)
            results[name] = []
            for mode, fill in TILINGS:
                if fill in given.fills:
                    results[name].append(_measured(model, crops, mode, fill))
                    print(name, results[name][-1], flush=True)
    write("picture-sizes", {"crops": given.crops, "stride": given.stride, "detectors": results})


def _crops(count: int) -> Iterator[Crop]:
    """Crops of random sizes, and crops of whole tiles. Each is from a picture of its own."""
    rng = np.random.default_rng(7)
    for number in range(2 * count):
        on_grid = number >= count
        picture = torch.from_numpy(normal_surface(np.random.default_rng([8, number]), (EDGE, EDGE))).movedim(-1, 0)
        sizes = TILE * rng.integers(1, EDGE // TILE + 1, 2) if on_grid else rng.integers(SMALLEST, EDGE + 1, 2)
        height, width = (int(size) for size in sizes)
        top, left = int(rng.integers(EDGE - height + 1)), int(rng.integers(EDGE - width + 1))
        yield Crop(picture[:, top : top + height, left : left + width].contiguous(), on_grid)


def _trained(root: Path, name: str, stride: int) -> TiledModel:
    arguments = ["--model", name, *OPTIONS[name], "--data", "MVTec", "--data.root", str(root)]
    arguments += ["--data.category", "surface", "--tiling.tile_size", str(TILE), "--tiling.stride", str(stride)]
    arguments += ["--name", name.lower(), "--models_dir", str(root / "models")]
    if tessera(["train", *arguments]) != 0:
        raise SystemExit(f"{name} could not be trained")
    return load_artifact(ModelRepository(root / "models").find(name.lower())).model


def _measured(model: TiledModel, crops: Sequence[Crop], mode: TilingMode, fill: PaddingFill) -> dict[str, object]:
    tiling = replace(model.tiling, mode=mode, padding_fill=fill)
    tiled = TiledModel(model.detector, model.preprocessing, tiling, model.calibration)
    assert model.calibration is not None
    normalised = model.calibration.normalise_score
    scores = np.array([normalised(predict(tiled, crop.pixels).raw_score) for crop in crops])
    on_grid = np.array([crop.on_grid for crop in crops])
    random, reference = scores[~on_grid], scores[on_grid]
    alarms, low, high = int((random > 0.5).sum()), reference.min(), reference.max()
    interval = stats.binomtest(alarms, len(random)).proportion_ci(method="exact")
    return {
        "mode": str(mode),
        "padding_fill": str(fill),
        "false_alarms": alarms,
        "rate_95%": [round(float(interval.low), 4), round(float(interval.high), 4)],
        "false_alarms_on_grid": int((reference > 0.5).sum()),
        "scores": [round(float(value), 3) for value in np.quantile(random, (0, 0.5, 0.95, 1))],
        "scores_on_grid": [round(float(value), 3) for value in np.quantile(reference, (0, 0.5, 0.95, 1))],
        "above_all_on_grid": int((random > high).sum()),
        "below_all_on_grid": int((random < low).sum()),
    }


if __name__ == "__main__":
    main()
