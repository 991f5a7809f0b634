from collections.abc import Callable
from copy import deepcopy
from functools import cache
from typing import Any

import pytest
import torch
from torch import Tensor

from app.detectors import DETECTORS, Detector, GradientDetector
from app.pipeline import Preprocessing, TiledModel
from app.tiling import Size, Tiling
from app.training.checkpoint import Checkpoint
from app.training.gradient import Schedule, fit_by_gradient
from app.training.one_pass import fit
from tests.building import build_detector

Build = Callable[..., TiledModel]
SIZE = (160, 160)
SMALL: dict[str, dict[str, Any]] = {
    "padim": {"n_features": 12},
    "patchcore": {"coreset_sampling_ratio": 0.05},
    "fusion": {"options": {"patchcore": {"coreset_sampling_ratio": 0.05}}},
}


def noise(count: int, size: Size) -> list[Tensor]:
    """Normal pictures: faint noise, [3,H,W] uint8 each."""
    return [(torch.randn(3, *size) * 4 + 128).to(torch.uint8) for _ in range(count)]


@pytest.fixture(scope="session")
def learned(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Detector]:
    """The gradient detectors with random backbones, by name: trained once, used with all sizes and tilings."""
    found: dict[str, Detector] = {}
    for name in DETECTORS:
        torch.manual_seed(0)
        detector = build_detector(name)
        if isinstance(detector, GradientDetector):
            learn(detector, Checkpoint(tmp_path_factory.mktemp(name) / "state.pt", name))
            found[name] = detector
    return found


def learn(detector: Detector, checkpoint: Checkpoint) -> None:
    model = TiledModel(detector, Preprocessing(None), Tiling(tile_size=64, stride=48))
    pictures = noise(4, (112, 112))
    schedule = Schedule(5, 2, 64, "32", seed=0, validate_every=5)
    fit_by_gradient(model, lambda order: (pictures[number] for number in order), 4, schedule, lambda _: {}, checkpoint)


@pytest.fixture(scope="module")
def build(learned: dict[str, Detector]) -> Build:
    """A function that makes a model with a random backbone, fitted to faint noise: its output depends on all pixels.

    Detectors with the same arguments are fitted once in a module; those of all modules would take 2 GB. Only detectors
    with a fixed size of pictures are fitted to pictures of the given size.
    """

    @cache
    def fitted(name: str, tiling: Tiling, fixed: Size | None) -> Detector:
        torch.manual_seed(0)
        detector = build_detector(name, **SMALL.get(name, {}))
        model, size = TiledModel(detector, Preprocessing(fixed), tiling), fixed or SIZE
        plan, stride = model.plan(*size), detector.feature_strides[0]
        fit(model, noise(3, size), 3, (plan.y.cells(stride), plan.x.cells(stride)), batch_tiles=4)
        return detector

    def make(name: str, tiling: Tiling, size: Size = SIZE, image_size: Size | None = None) -> TiledModel:
        if name in learned:
            return TiledModel(deepcopy(learned[name]), Preprocessing(image_size), tiling)
        fixed = (image_size or size) if build_detector(name).image_size_is_fixed else None
        return TiledModel(deepcopy(fitted(name, tiling, fixed)), Preprocessing(image_size or fixed), tiling)

    return make
