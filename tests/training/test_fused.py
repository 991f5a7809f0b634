from typing import Any

import pytest
import torch

from app.detectors import OnePassDetector
from app.pipeline import TiledModel
from app.pipeline.preprocessing import Preprocessing
from app.runtime import Kernels
from app.tiling import Tiling
from app.training.fused import with_fused_network
from app.training.one_pass import fit
from tests.building import build_detector

SIZE = 96, 160


def fitted(name: str, fused: bool) -> TiledModel:
    torch.manual_seed(0)
    options: dict[str, dict[str, Any]] = {"padim": {"n_features": 8}, "patchcore": {"coreset_sampling_ratio": 1.0}}
    detector = build_detector(name, **options.get(name, {})).requires_grad_(False)
    assert isinstance(detector, OnePassDetector)
    model = TiledModel(detector, Preprocessing(SIZE), Tiling(tile_size=64, stride=32))
    model = with_fused_network(model) if fused else model
    generator = torch.Generator().manual_seed(0)
    pictures = [torch.randint(256, (3, *SIZE), dtype=torch.uint8, generator=generator) for _ in range(3)]
    plan, stride = model.plan(*SIZE), detector.feature_strides[0]
    fit(model, pictures, 3, (plan.y.cells(stride), plan.x.cells(stride)), batch_tiles=4)
    return model


@pytest.mark.parametrize(("name", "state"), [("padim", "mean"), ("patchcore", "memory_bank"), ("subspace", "mean")])
def test_the_fitted_state_agrees_with_that_of_the_modules_to_rounding(name: str, state: str) -> None:
    fused, plain = fitted(name, fused=True), fitted(name, fused=False)
    assert (fused.network.kernels is Kernels.modules, plain.network.kernels is Kernels.modules) == (False, True)
    found, expected = (model.detector.get_buffer(state) for model in (fused, plain))
    assert float((found - expected).abs().max()) <= 1e-5 * float(expected.abs().max())
    again = fitted(name, fused=True).detector.state_dict()
    assert all(torch.equal(again[key], value) for key, value in fused.detector.state_dict().items())


def test_a_network_that_cannot_be_traced_keeps_its_modules(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: object) -> None:
        raise NotImplementedError

    monkeypatch.setattr("app.training.fused.trace", refuse)
    assert fitted("subspace", fused=True).network.kernels is Kernels.modules
