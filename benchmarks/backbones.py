"""Quality and speed of the backbones that come with the program, beside another backbone and random weights.

    python -m benchmarks.backbones --root ../shared/data/kolektorsdd --weights ../shared/weights/FILE

PaDiM and PatchCore run with the settings of `benchmarks.kolektorsdd`, once per seed. The seed decides PaDiM's channels
and the coreset's first patch. Only the backbone differs. The speed is that of the network alone on tiles of 256 x 256;
the networks are timed in turn.

There are two networks with random weights. In `random` all weights are drawn (He et al. 2015). In `identities` the
residual branches also end in zeros, so that little more than random filters of 7 x 7 pixels remains. `--distilled`
takes files of `tessera backbone train`; the snapshots of one training give a learning curve.
"""

from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, median
from tempfile import TemporaryDirectory
from time import perf_counter

import torch
from rich.progress import track
from safetensors import safe_open
from safetensors.torch import save_file

from app.backbones import SHIPPED_NAMES, ResNet, initialise
from app.backbones.weights import SHIPPED
from app.detectors import Patchcore
from app.pipeline import BATCH_TILES, Preprocessing, TiledModel
from app.runtime import Candidate, Kernels, Precision, build_network, trace
from app.runtime.hardware import fast_precision
from app.tiling import Tiling
from benchmarks.command_line import with_data
from benchmarks.hardware import write
from benchmarks.kolektorsdd.tessera import main as measure

DETECTORS = "padim", "patchcore"
OTHERS = "other", "random", "identities"
LAYERS = ("layer1", "layer2", "layer3")
TILE, ROUNDS, BATCHES = 256, 9, 4


@dataclass(frozen=True, slots=True)
class Backbone:
    """An architecture, and a file of its weights."""

    architecture: str
    weights: Path


def main() -> None:
    known = *SHIPPED_NAMES.values(), *OTHERS
    parser = with_data(__doc__)
    parser.add_argument("--networks", nargs="*", choices=known, default=list(known))
    parser.add_argument("--distilled", type=Path, nargs="*", default=[], help="files of `tessera backbone train`")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--name", default="backbones", help="the name of the results file")
    given = parser.parse_args()
    with TemporaryDirectory() as folder:
        backbones = {name: _backbone(name, given.weights, Path(folder)) for name in given.networks}
        backbones |= {path.stem: _distilled(path) for path in given.distilled}
        runs = [(name, detector, seed) for seed in range(given.seeds) for detector in DETECTORS for name in backbones]
        found: dict[tuple[str, str], list[dict[str, object]]] = {}
        for name, detector, seed in track(runs, "Measuring"):
            each = backbones[name]
            figures = measure(detector, given.root, each.weights, None, seed, each.architecture)
            found.setdefault((detector, name), []).append(figures)
        fast = fast_precision(torch.device("cpu"))
        precisions: list[Precision] = [Precision.float32, *([fast] if fast else [])]
        speed = {precision: _tiles_per_s(backbones, precision) for precision in precisions}
    quality = {detector: {name: _summary(found[detector, name]) for name in backbones} for detector in DETECTORS}
    write(given.name, {"other": given.weights.name, "seeds": given.seeds, **quality, "tiles_per_s": speed})


def _backbone(name: str, other: Path, folder: Path) -> Backbone:
    for architecture, shipped in SHIPPED_NAMES.items():
        if name == shipped:
            return Backbone(architecture, SHIPPED / f"{shipped}.safetensors")
    if name == "other":
        return Backbone("resnet18", other)
    torch.manual_seed(0)
    backbone = ResNet("resnet18", LAYERS)
    if name == "identities":
        backbone.draw_weights()
    else:
        initialise(backbone)
    path = folder / f"{name}.safetensors"
    save_file(backbone.state_dict(), path)
    return Backbone("resnet18", path)


def _distilled(path: Path) -> Backbone:
    with safe_open(path, "pt") as file:
        return Backbone(file.metadata()["architecture"], path)


def _summary(runs: list[dict[str, object]]) -> dict[str, object]:
    """The mean AUROC of the pictures and of the pixels, and the values of all runs."""
    summary: dict[str, object] = {}
    for name in ("image_auroc", "pixel_auroc"):
        values = [float(str(run[name])) for run in runs]
        summary[name], summary[f"{name}s"] = round(fmean(values), 4), values
    return summary


@torch.inference_mode()
def _tiles_per_s(backbones: dict[str, Backbone], precision: Precision) -> dict[str, float]:
    count = BATCH_TILES["cpu"]
    tiles = torch.randn(count, 3, TILE, TILE)
    networks = {}
    for name, backbone in backbones.items():
        detector = Patchcore(backbone.architecture, LAYERS, backbone_weights=str(backbone.weights))
        detector.load_weights()
        model = TiledModel(detector, Preprocessing(), Tiling(tile_size=TILE))
        networks[name] = build_network(trace(model.detector), Candidate(precision, Kernels.fused), (TILE, TILE))
    times: dict[str, list[float]] = {name: [] for name in networks}
    for _ in range(ROUNDS):
        for name, network in networks.items():
            started = perf_counter()
            for _ in range(BATCHES):
                network(tiles)
            times[name].append(perf_counter() - started)
    return {name: round(BATCHES * count / median(each), 1) for name, each in times.items()}


if __name__ == "__main__":
    main()
