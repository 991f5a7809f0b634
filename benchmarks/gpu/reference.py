"""The speed of anomalib's models with the same weights on the same device: alone, and behind FastAPI with a lock.

Maps are compared first. anomalib fits PaDiM to the same pictures, with the same channels.
"""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from app.detectors import Detector, Padim, Patchcore
from app.importing.detectors import NETWORKS
from app.pipeline import predict
from app.runtime import Precision
from benchmarks.gpu.encoded import encoded
from benchmarks.gpu.engine import engine, feed
from benchmarks.gpu.load import load
from benchmarks.gpu.models import fitting_pictures
from benchmarks.gpu.setting import Setting, pictures
from benchmarks.reference import CLASSES, anomalib_module, import_anomalib
from benchmarks.throughput.reference_model import ReferenceModel
from benchmarks.throughput.servers import Server, running

TOLERANCE = 1e-2
"""As a share of the map's largest value: means of a few pictures differ by rounding, and so do their inverses."""


def run(setting: Setting) -> None:
    """Measures pictures per second of anomalib and of this program's engine, with pictures in memory and over HTTP."""
    warnings.simplefilter("ignore")
    import_anomalib()
    for name in CLASSES:  # the detectors that anomalib has
        model = setting.load(name, Precision.float32, measured=False).model
        path = setting.work / f"{name}.anomalib.pt"
        _export(setting, name, model.detector, path)
        reference = ReferenceModel(path, setting.device)
        difference = _difference(setting, reference, predict(model, pictures(1, setting.scale.picture)[0]).anomaly_map)
        del model
        figures: dict[str, float] = {"map_difference": difference}
        if difference <= TOLERANCE:
            figures |= _alone(setting, name, reference)
            del reference
            figures |= _behind_fastapi(setting, path)
        setting.results.add(name, {**figures, "compared": difference <= TOLERANCE})


def _export(setting: Setting, name: str, detector: Detector, path: Path) -> None:
    """Writes anomalib's module with the detector's tensors."""
    weights = setting.work / "backbone.safetensors"
    state = {key: tensor.detach().cpu() for key, tensor in detector.state_dict().items()}
    save_file({key.removeprefix("backbone."): each for key, each in state.items() if key[:9] == "backbone."}, weights)
    options = {"n_features": detector.n_features} if isinstance(detector, Padim) else {}
    module = anomalib_module(name, setting.scale.picture, weights, **options)
    named = {
        theirs + key.removeprefix(ours): tensor
        for key, tensor in state.items()
        for ours, theirs in NETWORKS[name].items()
        if key.startswith(ours)
    }
    module.load_state_dict(named, strict=False)
    _tile(setting, module)
    if isinstance(detector, Patchcore):
        module.model.memory_bank = state["memory_bank"]
    elif isinstance(detector, Padim):
        _fit(setting, module, state["idx"])
    for level in ("image", "pixel"):
        setattr(module.post_processor, f"_{level}_threshold", torch.tensor(1.0))
    module.eval()
    torch.save(module, path)


def _tile(setting: Setting, module: Any) -> None:
    from anomalib.data.utils.tiler import Tiler

    module.model.tiler = Tiler(setting.scale.tile, setting.scale.tile)


@torch.no_grad()
def _fit(setting: Setting, module: Any, channels: Tensor) -> None:
    module.model.idx = channels
    module.model.to(setting.device).train()
    for picture in fitting_pictures(setting):
        module.model(_normalised(module, picture.to(setting.device)))
    module.model.fit()
    module.model.cpu()


def _normalised(module: Any, picture: Tensor) -> Tensor:
    prepared: Tensor = module.pre_processor.transform(picture / 255)
    return prepared[None]


def _difference(setting: Setting, reference: ReferenceModel, expected: Tensor) -> float:
    (picture,) = pictures(1, setting.scale.picture)
    _, (found,) = reference.predict(reference.normalised(picture)[None])
    return float((found - expected).abs().max() / expected.max())


def _alone(setting: Setting, name: str, reference: ReferenceModel) -> dict[str, float]:
    """Pictures per second of both programs, measured in turn, with a picture in memory."""
    (picture,) = pictures(1, setting.scale.picture)
    tiles = 0
    models = {}
    for precision in dict.fromkeys((Precision.float32, setting.half)):
        models[precision] = setting.load(name, precision).model
        tiles = models[precision].plan(*setting.scale.picture).count

    def own(precision: Precision) -> Callable[[], float]:
        def pictures_per_s() -> float:
            with engine(models[precision]) as worker:
                return feed(setting, worker, models[precision], setting.scale.seconds) / tiles

        return pictures_per_s

    def theirs() -> float:
        return 1 / setting.seconds(lambda: reference.predict(reference.normalised(picture)[None]))

    runs = {"anomalib alone": theirs} | {f"engine, {precision}": own(precision) for precision in models}
    found: dict[str, list[float]] = {each: [] for each in runs}
    for _ in range(setting.scale.rounds):
        for each, measured in runs.items():
            found[each].append(measured())
    return {f"{each}, pictures/s": sorted(seen)[len(seen) // 2] for each, seen in found.items()}


def _behind_fastapi(setting: Setting, path: Path) -> dict[str, float]:
    clients = min(16, max(setting.scale.clients))
    with running(["-m", "benchmarks.throughput.fastapi_server", str(path)]) as (process, port):
        server = Server(process, port, "/predict", "/map")
        load(server, encoded(setting.scale.picture, "png"), 2, setting.scale.seconds / 4)
        seen = load(server, encoded(setting.scale.picture, "png"), clients, 2 * setting.scale.seconds)
    return {f"behind FastAPI, {clients} clients, pictures/s": seen.pictures_per_s}
