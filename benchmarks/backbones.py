"""How good the backbone that comes with the program is, beside another one and beside random weights.

    python -m benchmarks.backbones --root ../shared/data/kolektorsdd --weights ../shared/weights/FILE

PaDiM and PatchCore in the settings of `benchmarks.kolektorsdd`, once a seed, which draws PaDiM's channels and the
coreset's first patch. Only the weights differ. The speed is that of the network alone on tiles of 256 x 256, taken in
turn; it does not depend on the weights' values, and is here to show that.

Of random weights there are two: `random` draws all (He et al. 2015), and in `identities` the residual branches end in
zeros besides, so that little more than random filters of 7 x 7 pixels is left.
"""

import argparse
from pathlib import Path
from statistics import fmean, median
from tempfile import TemporaryDirectory
from time import perf_counter

import torch
from rich.progress import track
from safetensors.torch import save_file

from app.backbones import ResNet, initialise
from app.backbones.weights import SHIPPED, SHIPPED_NAMES
from app.detectors import Patchcore
from app.pipeline import BATCH_TILES, Preprocessing, TiledModel
from app.runtime import build_network, trace
from app.tiling import Tiling
from benchmarks.hardware import write
from benchmarks.kolektorsdd.tessera import main as measure

DETECTORS = "padim", "patchcore"
NETWORKS = "shipped", "other", "random", "identities"
LAYERS = ("layer1", "layer2", "layer3")
TILE, ROUNDS, BATCHES = 256, 5, 4


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--weights", type=Path, required=True, help="of a ResNet-18, to compare with")
    parser.add_argument("--networks", nargs="*", choices=NETWORKS, default=list(NETWORKS))
    parser.add_argument("--seeds", type=int, default=3)
    given = parser.parse_args()
    with TemporaryDirectory() as folder:
        files = {name: _file(name, given.weights, Path(folder)) for name in given.networks}
        runs = [(name, detector, seed) for seed in range(given.seeds) for detector in DETECTORS for name in files]
        found: dict[tuple[str, str], list[dict[str, object]]] = {}
        for name, detector, seed in track(runs, "Measuring"):
            figures = measure(detector, given.root, files[name], Path(folder) / "none", seed)
            found.setdefault((detector, name), []).append(figures)
        speed = _tiles_per_s(files)
    quality = {detector: {name: _summary(found[detector, name]) for name in files} for detector in DETECTORS}
    subset = [] if files.keys() == set(NETWORKS) else given.networks
    write(
        "-".join(["backbones", *subset]),
        {"other": given.weights.name, "seeds": given.seeds, **quality, "tiles_per_s": speed},
    )


def _file(name: str, other: Path, folder: Path) -> Path:
    if name == "other":
        return other
    if name == "shipped":
        return SHIPPED / f"{SHIPPED_NAMES['resnet18']}.safetensors"
    torch.manual_seed(0)
    backbone = ResNet("resnet18", LAYERS)
    initialise(backbone, zero_last=name == "identities")
    path = folder / f"{name}.safetensors"
    save_file(backbone.state_dict(), path)
    return path


def _summary(runs: list[dict[str, object]]) -> dict[str, object]:
    """Means, and what they are of."""
    summary: dict[str, object] = {}
    for name in ("image_auroc", "pixel_auroc"):
        values = [float(str(run[name])) for run in runs]
        summary[name], summary[f"{name}s"] = round(fmean(values), 4), values
    return summary


@torch.inference_mode()
def _tiles_per_s(files: dict[str, Path]) -> dict[str, float]:
    count, device = BATCH_TILES["cpu"], torch.device("cpu")
    tiles = torch.randn(count, 3, TILE, TILE)
    networks = {}
    for name, path in files.items():
        detector = Patchcore("resnet18", LAYERS, backbone_weights=str(path))
        detector.load_backbone()
        model = TiledModel(detector, Preprocessing(), Tiling(tile_size=TILE))
        networks[name] = build_network(trace(model.detector), device, "auto", "float32", (TILE, TILE))
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
