"""Pictures that do not fit into memory: peak memory and throughput, beside pictures of 2048 x 2048.

    python -m benchmarks.large_pictures [--model models/demo/1] [--sizes 15000x30000 30000x30000] [--stand-in]

Each picture is a tiled BigTIFF of repeated examples of the demo's surface. It is predicted and drawn in a process of
its own, as by `tessera predict`. The memory of a stage is the largest resident set, less that of the process with the
loaded model after a picture of 256 x 256. `share` is the throughput of the prediction as a share of that of pictures of
2048 x 2048 in memory, in the same process, before and after it. With `--stand-in`, means of pixels take the place of
the network's features, whose memory depends on the batch only, so that large sizes take less time. Needs the extra
`large`.
"""

import argparse
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from statistics import mean
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

import pyvips
import torch

from app.artifacts import ModelRepository, load_artifact
from app.decoding.large import LargePicture
from app.heap import share_one_heap
from app.pipeline import Execution, Question, TiledModel, predict, use_processors
from app.progress import silent
from app.service.large import Pyramids, draw, predict_large
from benchmarks.hardware import write
from benchmarks.peaks import StandIn, peak_bytes, staged

SIZES = ["15000x30000", "30000x30000"]
SMALL = 2048
EXAMPLES = Path("examples/normal.png"), Path("examples/defect.png")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=Path("models/demo/1"), help="the folder of a model's version")
    parser.add_argument("--sizes", nargs="+", default=SIZES, help="HEIGHTxWIDTH each")
    parser.add_argument("--stand-in", action="store_true", help="means of pixels instead of a network")
    parser.add_argument("--work", type=Path, help="a folder for pictures and results; by default a temporary one")
    parser.add_argument("--name", default="large-pictures", help="of the file of results")
    parser.add_argument("--one", action="store_true", help="measure the only size in this process")
    given = parser.parse_args()
    if given.one:
        height, width = map(int, given.sizes[0].split("x"))
        with TemporaryDirectory(dir=given.work) as work:
            print(json.dumps(_measure(given.model, height, width, given.stand_in, Path(work))))
        return
    pictures = [_apart(given, size) for size in given.sizes]
    network = "means of pixels" if given.stand_in else "the model's own"
    write(given.name, {"model": given.model.parent.name, "network": network, "pictures": pictures})


def _apart(given: argparse.Namespace, size: str) -> dict[str, object]:
    command = [sys.executable, "-m", "benchmarks.large_pictures", "--one", "--model", str(given.model), "--sizes", size]
    command += ["--stand-in"] * given.stand_in + (["--work", str(given.work)] if given.work else [])
    found: dict[str, object] = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    print(found, flush=True)
    return found


def _measure(folder: Path, height: int, width: int, stand_in: bool, work: Path) -> dict[str, object]:
    picture = work / "picture.tif"
    drawing = f"from benchmarks.large_pictures import draw_picture; draw_picture({height}, {width}, {str(picture)!r})"
    subprocess.run([sys.executable, "-c", drawing], check=True)  # in a process whose memory does not count
    share_one_heap()
    use_processors(torch.get_num_threads())
    artifact = load_artifact(ModelRepository(folder.parent.parent).find(folder.parent.name, int(folder.name)))
    if stand_in:
        execution = Execution(StandIn(artifact.model.detector), artifact.model.batch_tiles)
        artifact = replace(artifact, model=artifact.model.with_execution(execution))
    predict(artifact.model, torch.zeros(3, 256, 256, dtype=torch.uint8))
    rates, before = [_small_rate(artifact.model)], peak_bytes()
    source, files = LargePicture(picture), Pyramids(work / "overlay.tif", work / "mask.tif", work / "map.tif")
    found, predict_mib, predict_s = staged(lambda: predict_large(artifact, source, Question(), work, silent), before)
    _, draw_mib, draw_s = staged(lambda: draw(found, source, files, "", silent), before)
    rates.append(_small_rate(artifact.model))
    rate = height * width / 1e6 / predict_s
    return {
        "height": height,
        "width": width,
        "tiles": found.judged.plan.distinct,
        "regions": len(found.judged.judgement.regions),
        "predict": {"mib": predict_mib, "s": predict_s, "megapixels_per_s": round(rate, 3)},
        "draw": {"mib": draw_mib, "s": draw_s},
        "small_megapixels_per_s": [round(each, 3) for each in rates],
        "share": round(rate / mean(rates), 3),
    }


def _small_rate(model: TiledModel, pictures: int = 3) -> float:
    """Megapixels per second of pictures of 2048 x 2048 in memory."""
    image: Any = pyvips.Image.new_from_file(str(EXAMPLES[0])).replicate(2, 2).crop(0, 0, SMALL, SMALL)
    pixels = torch.from_numpy(image.numpy()).permute(2, 0, 1).contiguous()
    predict(model, pixels)
    started = perf_counter()
    for _ in range(pictures):
        predict(model, pixels)
    return pictures * SMALL**2 / 1e6 / (perf_counter() - started)


def draw_picture(height: int, width: int, path: str) -> None:
    """Writes a picture of repeated normal examples, with a few defective ones among them."""
    normal, defect = (pyvips.Image.new_from_file(str(each)) for each in EXAMPLES)
    down, across = -(-height // normal.height), -(-width // normal.width)
    whole: Any = normal.replicate(across, down)
    for number in range(1, 4):
        row, column = down * number // 4, across * number // 4
        whole = whole.insert(defect, column * normal.width, row * normal.height)
    whole.crop(0, 0, width, height).tiffsave(path, tile=True, bigtiff=True, compression="deflate")


if __name__ == "__main__":
    main()
