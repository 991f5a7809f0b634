"""Pictures per second over HTTP of this program's detectors and backbones, beside PatchCore with 10,000 rows.

    .venv/bin/python -m benchmarks.detectors --root DIR --work DIR [--only NAME ...] [--rounds 3]

Pictures are PNGs of 1024 x 1024 pixels, in tiles of 256. Each model is trained here on 16 such pictures. The largest
values of maps in automatic precision are first compared with those in float32. Then the servers are measured in turn,
round after round. Each server is a process of its own; only one runs at a time. `--work` keeps models and pictures for
later runs.
"""

import io
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from statistics import median

import numpy as np
from numpy.typing import NDArray

from app.artifacts import ModelRepository, read_manifest
from app.data import Folder, MVTec
from app.detectors import Detector, Fusion, Padim, Patchcore, ReverseDistillation, Stfpm, Subspace
from app.engine import Engine
from app.training import TilerConfigurationCallback
from benchmarks.command_line import with_root
from benchmarks.hardware import write
from benchmarks.throughput import servers
from benchmarks.throughput.clients import body, connect, load, post
from benchmarks.throughput.models import resized, write_pictures
from benchmarks.throughput.servers import Server
from benchmarks.throughput.setting import TILE

TRAINING_PICTURES = 16
PATCHES = TRAINING_PICTURES * 128 * 128  # at a stride of 8 pixels
CORESET = 10_000 / PATCHES
CLIENTS, REQUESTS = 16, 32
PRECISIONS = "float32", "auto"
TOLERANCE = 5e-2
"""The allowed difference of the largest values of maps in automatic precision, as a share of the pixel threshold."""
BASELINE = "PatchCore"

Make = Callable[..., Detector]
DETECTORS: Mapping[str, Make] = {
    BASELINE: lambda **options: Patchcore(coreset_sampling_ratio=CORESET, **options),
    "whitened PatchCore": lambda **options: Patchcore(coreset_sampling_ratio=CORESET, whitening=True, **options),
    "Subspace": Subspace,
    "Fusion": lambda **options: Fusion(options={"patchcore": {"coreset_sampling_ratio": CORESET}}, **options),
    "PaDiM": Padim,
    "STFPM": Stfpm,
    "Reverse Distillation": ReverseDistillation,
}
LITE: Mapping[str, Make] = {
    f"{name}, Lite{size}": lambda make=DETECTORS[name], size=size: make(backbone=f"efficientnet_lite{size}")
    for size in range(3)
    for name in (BASELINE, "Subspace")
}
MODELS: Mapping[str, Make] = {**DETECTORS, **LITE}


def main() -> None:
    parser = with_root(__doc__)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--only", nargs="*", choices=tuple(MODELS), default=list(MODELS))
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    names = list(dict.fromkeys([BASELINE, *given.only]))
    pictures = [path.read_bytes() for path in write_pictures(given.root, given.work)]
    training = given.work / "training"
    training.mkdir(exist_ok=True)
    for path in MVTec(str(given.root), "surface").train_pictures()[:TRAINING_PICTURES]:
        resized(path, training / f"{path.stem}.png")
    for name in names:
        _train(name, training, given.work)
    differences = {name: _difference(name, given.work, pictures[:2]) for name in names}
    runs: dict[str, dict[str, list[float]]] = {name: {precision: [] for precision in PRECISIONS} for name in names}
    for _ in range(given.rounds):
        for name in names:
            for precision in PRECISIONS:
                with _server(name, given.work, precision) as server:
                    load(server, pictures, CLIENTS, CLIENTS)  # the first batches are slow
                    found = load(server, pictures, CLIENTS, REQUESTS)
                runs[name][precision].append(round(found.pictures_per_s, 2))
                print(name, precision, runs[name][precision], flush=True)
    medians = {name: {key: median(values) for key, values in own.items()} for name, own in runs.items()}
    ratios = {
        name: {key: round(value / medians[BASELINE][key], 2) for key, value in own.items()}
        for name, own in medians.items()
    }
    write(
        "detectors",
        {
            "clients": CLIENTS,
            "requests": REQUESTS,
            "rounds": given.rounds,
            "difference": differences,
            "pictures_per_s": medians,
            f"times_{BASELINE.lower()}": ratios,
            "runs": runs,
        },
    )


def _slug(name: str) -> str:
    return name.lower().replace(",", "").replace(" ", "-")


def _train(name: str, pictures: Path, work: Path) -> None:
    """Trains a model into `work`, unless it is there."""
    slug = _slug(name)
    if not list(ModelRepository(work / slug / "models").entries()):
        engine = Engine(
            callbacks=[TilerConfigurationCallback(tile_size=TILE, stride=TILE)],
            max_epochs=1,
            models_dir=work / slug / "models",
            name=slug,
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # on few pictures
            engine.fit(MODELS[name](), Folder(str(pictures.parent), pictures.name))


def _server(name: str, work: Path, precision: str) -> AbstractContextManager[Server]:
    return servers.tessera(_slug(name), work, "--precision", precision)


def _difference(name: str, work: Path, pictures: Sequence[bytes]) -> float:
    """The difference of the largest values of both precisions' maps, as a share of the pixel threshold.

    Raises SystemExit if it exceeds TOLERANCE.
    """
    calibration = read_manifest(next(iter(ModelRepository(work / _slug(name) / "models").entries())).path).calibration
    assert calibration is not None
    expected, found = (_maps(name, work, precision, pictures) for precision in PRECISIONS)
    pairs = zip(found, expected, strict=True)
    difference = max(abs(float(ours.max() - theirs.max())) for ours, theirs in pairs) / calibration.pixel_threshold
    if not difference <= TOLERANCE:
        raise SystemExit(f"{name}: largest values of the precisions differ by {difference:.2g}; nothing is measured")
    return difference


def _maps(name: str, work: Path, precision: str, pictures: Sequence[bytes]) -> list[NDArray[np.float32]]:
    with _server(name, work, precision) as server:
        assert server.map is not None
        connection = connect(server)
        answers = [post(connection, server.map, body(picture, server.field)) for picture in pictures]
    return [np.load(io.BytesIO(answer)) for answer in answers]


if __name__ == "__main__":
    main()
