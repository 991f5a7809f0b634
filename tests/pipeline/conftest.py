from collections.abc import Callable

import pytest
import torch

from app.detectors import DETECTORS
from app.pipeline import Preprocessing, TiledModel
from app.tiling import Size, Tiling
from app.training.one_pass import fit

Build = Callable[..., TiledModel]
SMALL: dict[str, dict[str, object]] = {"padim": {"n_features": 12}, "patchcore": {"coreset_sampling_ratio": 0.05}}


@pytest.fixture
def build() -> Build:
    """Makes a model with random weights, fitted to faint noise: what it says is arbitrary but depends on all pixels."""

    def make(name: str, tiling: Tiling, size: Size = (160, 160), image_size: Size | None = None) -> TiledModel:
        torch.manual_seed(0)
        detector = DETECTORS[name](backbone="resnet18", **SMALL[name])
        fixed = image_size or (size if detector.image_size_is_fixed else None)
        model = TiledModel(detector, Preprocessing(fixed), tiling)
        plan, stride = model.plan(*size), detector.feature_strides[0]
        noise = [(torch.randn(3, *size) * 4 + 128).to(torch.uint8) for _ in range(3)]
        fit(model, noise, len(noise), (plan.y.cells(stride), plan.x.cells(stride)), batch_tiles=4)
        return model

    return make
