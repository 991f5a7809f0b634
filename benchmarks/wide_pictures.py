"""Peak memory of very wide pictures, as a line-scan camera makes them: it must not grow beyond the picture and its map.

    python -m benchmarks.wide_pictures [--model models/demo/1] [--sizes 1x300000 200x300000] [--stand-in]

Each picture is predicted in a process of its own: prediction, regions, and the overlay as a PNG. Its memory is the
largest resident set of each stage, less that of the process with the loaded model after a picture of 256 x 256. The
pixels are drawn, grey, 8 bits. `least_mib` is the memory that the result needs in any case: the picture, its map, and
for the overlay the normalised map and three copies of the painted picture. With `--stand-in`, means of pixels take the
place of the network's features, whose memory depends on the batch only, so that large sizes take less time.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from app.artifacts import ModelRepository, load_artifact
from app.heap import share_one_heap
from app.pipeline import Execution, interpret, predict, use_processors
from app.service import Predicted
from app.service.pictures import HeatmapStyle, heatmap_png
from benchmarks.hardware import write
from benchmarks.peaks import MIB, StandIn, peak_bytes, staged

SIZES = ["1x300000", "1x1000000", "200x300000"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=Path("models/demo/1"), help="the folder of a model's version")
    parser.add_argument("--sizes", nargs="+", default=SIZES, help="HEIGHTxWIDTH each")
    parser.add_argument("--stand-in", action="store_true", help="means of pixels instead of a network")
    parser.add_argument("--one", action="store_true", help="measure the only size in this process")
    given = parser.parse_args()
    if given.one:
        height, width = map(int, given.sizes[0].split("x"))
        print(json.dumps(_measure(given.model, height, width, given.stand_in)))
        return
    pictures = [_apart(given.model, size, given.stand_in) for size in given.sizes]
    network = "means of pixels" if given.stand_in else "the model's own"
    write("wide-pictures", {"model": given.model.parent.name, "network": network, "pictures": pictures})


def _apart(model: Path, size: str, stand_in: bool) -> dict[str, object]:
    command = [sys.executable, "-m", "benchmarks.wide_pictures", "--one", "--model", str(model), "--sizes", size]
    command += ["--stand-in"] * stand_in
    found: dict[str, object] = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    print(found, flush=True)
    return found


def _measure(folder: Path, height: int, width: int, stand_in: bool) -> dict[str, object]:
    share_one_heap()
    use_processors(torch.get_num_threads())
    artifact = load_artifact(ModelRepository(folder.parent.parent).find(folder.parent.name, int(folder.name)))
    model = artifact.model
    if stand_in:
        model = model.with_execution(Execution(StandIn(model.detector), model.batch_tiles))
    predict(model, _picture(256, 256))
    before = peak_bytes()
    picture = _picture(height, width)
    outcome, predict_mib, predict_s = staged(lambda: predict(model, picture), before)
    prediction, regions_mib, regions_s = staged(lambda: interpret(outcome, artifact.calibration), before)
    plan = model.plan(height, width)
    predicted = Predicted(artifact, picture, plan, prediction)
    _, overlay_mib, overlay_s = staged(lambda: heatmap_png(predicted, HeatmapStyle.overlay), before)
    pixels = height * width
    return {
        "height": height,
        "width": width,
        "tiles": plan.count,
        "computed_twice": plan.count - plan.distinct,
        "regions": len(prediction.regions),
        "predict": {"mib": predict_mib, "least_mib": round(5 * pixels / MIB), "s": predict_s},
        "find_regions": {"mib": regions_mib, "least_mib": round(5 * pixels / MIB), "s": regions_s},
        "overlay": {"mib": overlay_mib, "least_mib": round(18 * pixels / MIB), "s": overlay_s},
    }


def _picture(height: int, width: int) -> Tensor:
    """Faint noise with stripes along the belt, [1,H,W] uint8, drawn row by row."""
    rng = np.random.default_rng(0)
    picture = np.empty((1, height, width), np.uint8)
    for row in picture[0]:
        row[:] = 120 + rng.integers(0, 16, width, np.uint8) + rng.integers(0, 8, dtype=np.uint8)
    return torch.from_numpy(picture)


if __name__ == "__main__":
    main()
