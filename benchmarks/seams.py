"""How far the features of tiles are from those of the untiled network, by halo, and what this means for defects.

    python -m benchmarks.seams --root ../shared/data/kolektorsdd --weights WEIGHTS [--pictures 4] [--detection]

Features are those of several networks: the layers of a ResNet-18 with the weights of the file as they are, and the
embeddings that detectors make of the layers of several networks. `--detection` fits Subspace with several tilings to 39
pictures instead, and measures AUROC on all test pictures.
"""

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import torch
from torch import Tensor

from app.backbones import load_weights
from app.data import MVTec, decoded, spread
from app.detectors import BackboneDetector, Patchcore, Stfpm, Subspace
from app.evaluation.seams import BINS, SeamMeter, TilingErrors
from app.pipeline import BATCH_TILES, Preprocessing, TiledModel
from app.tiling import Blend, PaddingFill, Tiling, TilingMode
from app.training.memory import available_bytes
from app.training.one_pass import fit
from benchmarks.command_line import with_data
from benchmarks.hardware import write
from benchmarks.kolektorsdd.measuring import Stopwatch, aurocs
from benchmarks.kolektorsdd.setting import testing_pictures
from benchmarks.kolektorsdd.tessera import predictions

FILL = PaddingFill.reflect
OWN = Tiling(mode=TilingMode.cover, halo=96, padding_fill=FILL)
"""The tiling of the models: with the mode `within`, it is that of `halo of 96`."""

FITTED, SIZE = 39, (1260, 500)
DETECTION = {
    "no halo": Tiling(mode=TilingMode.cover, padding_fill=FILL),
    "halo of 96, cover": OWN,
    "halo of 96, within": Tiling(mode=TilingMode.within, halo=96, padding_fill=FILL),
    "half overlap, Gaussian": Tiling(stride=128, mode=TilingMode.within, blend=Blend.gaussian, padding_fill=FILL),
}


def main() -> None:
    parser = with_data(__doc__)
    parser.add_argument("--pictures", type=int, default=4)
    parser.add_argument("--detection", action="store_true", help="measure AUROC instead of features")
    given = parser.parse_args()
    if given.detection:
        write("seams-detection", {"pictures": FITTED, "tilings": dict(_detected(given.root, given.weights))})
        return
    _, chosen = spread(testing_pictures(given.root), given.pictures)
    pictures = list(decoded([picture.path for picture in chosen], 1))
    networks = {name: _measured(detector, pictures) for name, detector in _detectors(given.weights)}
    write("seams", {"pictures": given.pictures, "distances_px": [0, *BINS], "networks": networks})


def _detectors(weights: Path) -> Iterator[tuple[str, BackboneDetector]]:
    torch.manual_seed(0)
    layers = Stfpm("resnet18")
    load_weights(layers.backbone, weights)
    layers.student.load_state_dict(layers.backbone.state_dict())  # so that the features are those of one network
    yield "ResNet-18, layers 1 to 3 as they are", layers
    reference = Patchcore("resnet18")
    load_weights(reference.backbone, weights)
    yield "ResNet-18, patches of layers 2 and 3", reference
    for name, backbone, pre_trained in (
        ("shipped ResNet-18, patches of layers 2 and 3", "resnet18", True),
        ("shipped EfficientNet-Lite0, patches of stages 3 and 5", "efficientnet_lite0", True),
        ("random Wide ResNet-50-2, patches of layers 2 and 3", "wide_resnet50_2", False),
    ):
        detector = Patchcore(backbone, pre_trained=pre_trained)
        detector.load_weights()
        yield name, detector


def _measured(detector: BackboneDetector, pictures: list[Tensor]) -> list[dict[str, object]]:
    model = TiledModel(detector, Preprocessing.for_detector(detector), OWN)
    meter = SeamMeter(model, available_bytes(model.device))
    for picture in pictures:
        meter.add(picture)
    return [_record(each) for each in meter.results()]


def _record(found: TilingErrors) -> dict[str, object]:
    values = asdict(found)
    del values["tiling"]
    return {key: _rounded(value) for key, value in values.items()}


def _rounded(value: object) -> object:
    if isinstance(value, float):
        return float(f"{value:.3g}")
    return [_rounded(each) for each in value] if isinstance(value, tuple) else value


def _detected(root: Path, weights: Path) -> Iterator[tuple[str, dict[str, float]]]:
    _, fitted = spread(MVTec(str(root), "surface").train_pictures(), FITTED)
    tests = testing_pictures(root)
    for name, tiling in DETECTION.items():
        torch.manual_seed(0)
        detector = Subspace("resnet18")
        load_weights(detector.backbone, weights)
        model, watch = TiledModel(detector, Preprocessing.for_detector(detector), tiling), Stopwatch()
        stride = detector.feature_strides[0]
        fit(model, decoded(fitted, 1), FITTED, (1300 // stride, 512 // stride), BATCH_TILES["cpu"])
        scores, maps = predictions(model, tests, SIZE)
        found = {**aurocs(tests, scores, maps, SIZE), "cpu_s": watch.read("all")["all_cpu_s"]}
        print(name, found, flush=True)
        yield name, found


if __name__ == "__main__":
    main()
