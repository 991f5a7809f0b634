"""The models that are measured: each detector with the backbone that comes with the program."""

from typing import Any

import torch
from torch import nn

from app.artifacts import ModelRecord, write_artifact
from app.detectors import DETECTORS, Detector, Fusion, OnePassDetector, Patchcore, Stfpm
from app.pipeline import Preprocessing, TiledModel, predict
from app.scoring import calibrate_on_normal
from app.tiling import Tiling
from app.training.one_pass import fit
from benchmarks.gpu.setting import Setting, pictures

NAMES = tuple(DETECTORS)
FITTED_TO = 4
DIFFERENCE = 0.3
"""The standard deviation of a student's difference from its teacher, as a share of that of the weights."""


def run(setting: Setting) -> None:
    """Writes version 1 of each model."""
    for name in NAMES:
        torch.manual_seed(0)
        detector = make_detector(name, setting)
        tiling = Tiling(tile_size=setting.scale.tile)
        model = TiledModel(detector, preprocessing(detector, setting), tiling)
        normal = [predict(model, picture) for picture in pictures(2, setting.scale.picture)]
        scores, peaks = [each.raw_score for each in normal], [float(each.anomaly_map.max()) for each in normal]
        calibration = calibrate_on_normal(scores, peaks, 0.05)
        record = ModelRecord("training-normal", len(normal), 0.05, "drawn surfaces", FITTED_TO, "tessera_resnet18")
        entry = write_artifact(model.with_calibration(calibration), setting.repository(name), name, record)
        written = sum(file.stat().st_size for file in entry.path.iterdir())
        setting.results.add(name, {"bytes": written, "pixel_threshold": calibration.pixel_threshold})


def preprocessing(detector: Detector, setting: Setting) -> Preprocessing:
    """No resizing, unless the detector needs pictures of one size."""
    return Preprocessing(setting.scale.picture if detector.image_size_is_fixed else None)


def make_detector(name: str, setting: Setting) -> Detector:
    """A detector on the CPU: fitted to a few pictures, or with a student that differs a little from its teacher."""
    options: dict[str, dict[str, Any]] = {
        "padim": {"n_features": setting.scale.padim_features},
        "fusion": {"options": {"patchcore": {"coreset_sampling_ratio": 0.01}}},  # its bank is replaced
    }
    detector = DETECTORS[name](backbone="resnet18", **options.get(name, {}))
    detector.load_weights()
    if isinstance(detector, Patchcore):
        detector.memory_bank = _bank(detector, setting)
    elif isinstance(detector, Fusion):
        _fit(detector, setting)
        detector.combined["patchcore"].register_buffer("memory_bank", _bank(detector, setting))
    elif isinstance(detector, OnePassDetector):
        _fit(detector, setting)
    elif isinstance(detector, Stfpm):
        detector.student.load_state_dict(detector.backbone.state_dict())
        _disturb(detector.student)
    return detector.cpu().eval().requires_grad_(False)


def _bank(detector: Detector, setting: Setting) -> torch.Tensor:
    """A memory bank of random patches: to select a coreset would take longer, and its search takes the same time."""
    model = TiledModel(detector, Preprocessing(None), Tiling(tile_size=setting.scale.tile), device=setting.device)
    found: list[torch.Tensor] = []
    for picture in fitting_pictures(setting):
        for (embedding,) in model.outputs(model.prepare(picture)):
            found.append(embedding.movedim(1, -1).flatten(0, 2).cpu())
    patches = torch.cat(found)
    if len(patches) < setting.scale.bank:  # small pictures have too few: scaled copies are added
        repeats = -(-setting.scale.bank // len(patches))
        patches = torch.cat([patches * (1 + 0.01 * number) for number in range(repeats)])
    return patches[torch.randperm(len(patches))[: setting.scale.bank]].clone()


def fitting_pictures(setting: Setting) -> list[torch.Tensor]:
    """The pictures that detectors are fitted to. Measurements use other pictures."""
    return pictures(FITTED_TO, setting.scale.picture, first_seed=1000)


def _fit(detector: OnePassDetector, setting: Setting) -> None:
    tiling = Tiling(tile_size=setting.scale.tile)
    model = TiledModel(detector, preprocessing(detector, setting), tiling, device=setting.device)
    plan, stride = model.plan(*setting.scale.picture), detector.feature_strides[0]
    grid = plan.y.cells(stride), plan.x.cells(stride)
    fit(model, fitting_pictures(setting), FITTED_TO, grid, model.batch_tiles)


@torch.no_grad()
def _disturb(network: nn.Module) -> None:
    for parameter in network.parameters():
        if parameter.dim() == 4:
            parameter.add_(torch.randn_like(parameter) * parameter.std() * DIFFERENCE)
