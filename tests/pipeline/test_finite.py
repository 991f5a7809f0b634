"""Numbers that are not finite never become a prediction, whatever the detector does with its features."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nan

from app.detectors import DETECTORS, Detector, Features, OnePassDetector, with_thumbnail
from app.errors import NotFinite
from app.pipeline import Preprocessing, Roi, TiledModel, predict
from app.runtime import Kernels, Precision
from app.tiling import Tiling
from app.training.one_pass import fit
from tests.building import build_detector

inf = float("inf")
SIZE = 64, 128
IMAGES = [(torch.rand(3, *SIZE, generator=torch.Generator().manual_seed(seed)) * 255).byte() for seed in range(3)]
THUMBNAIL = "subspace thumbnail"


class Faulty:
    """Runs a detector's network in a number format, and overwrites one value in one cell of the last tile."""

    kernels, precision = Kernels.modules, Precision.float32

    def __init__(self, detector: Detector, dtype: torch.dtype, value: float) -> None:
        self._detector, self._dtype, self._value = detector, dtype, value

    def __call__(self, tiles: Tensor) -> Features:
        outputs = tuple(output.to(self._dtype) for output in self._detector.network(tiles))
        outputs[-1][-1, 1, 1, 1] = self._value
        return outputs


@pytest.fixture(scope="module", params=[*sorted(DETECTORS), THUMBNAIL])
def model(request: pytest.FixtureRequest) -> Iterator[TiledModel]:
    torch.manual_seed(0)
    name, *thumbnail = request.param.split()
    tiling = Tiling(tile_size=64, stride=64, thumbnail=bool(thumbnail))
    options: dict[str, Any] = {"layers": ("layer1",), "n_features": 64} if name == "padim" else {}  # all channels
    detector = build_detector(name, **options)
    size = SIZE if detector.image_size_is_fixed else None
    model = TiledModel(with_thumbnail(detector, tiling), Preprocessing(size), tiling)
    model.detector.requires_grad_(False)
    if isinstance(model.detector, OnePassDetector):
        cells = tuple(edge // model.detector.feature_strides[0] for edge in SIZE)
        fit(model, IMAGES, len(IMAGES), (cells[0], cells[1]), 4)
    yield model


@pytest.mark.parametrize("value", [nan, inf, -inf])
def test_a_value_that_is_not_finite_in_one_tile_is_an_error(model: TiledModel, value: float) -> None:
    for dtype in (torch.float32, torch.float16, torch.bfloat16):
        execution = replace(model.execution, network=Faulty(model.detector, dtype, value))
        with pytest.raises(NotFinite, match="NaN"):
            predict(model.with_execution(execution), IMAGES[0])
        with pytest.raises(NotFinite, match="NaN"):
            predict(model.with_execution(execution), IMAGES[0], roi=Roi(0, 64, 64, 64))


def test_the_same_network_without_the_value_gives_a_prediction(model: TiledModel) -> None:
    execution = replace(model.execution, network=Faulty(model.detector, torch.float32, 0.5))
    assert predict(model.with_execution(execution), IMAGES[0]).raw_score >= 0


@pytest.mark.parametrize("value", [nan, inf])
def test_a_fit_takes_no_features_that_are_not_finite(model: TiledModel, value: float) -> None:
    if not isinstance(model.detector, OnePassDetector):
        pytest.skip("the loss of a gradient detector is checked in each step")
    faulty = model.with_execution(replace(model.execution, network=Faulty(model.detector, torch.float32, value)))
    with pytest.raises(NotFinite, match="NaN"):
        fit(faulty, IMAGES, len(IMAGES), (16, 32), 4)
