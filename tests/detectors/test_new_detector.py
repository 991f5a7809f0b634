"""A new detector needs only a module and an entry in DETECTORS to be trained, written and served."""

from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from app.artifacts import ModelRepository, load_artifact
from app.cli import main
from app.detectors import DETECTORS, Detector, Features, Fitter, Measurement, OnePassDetector
from app.detectors.base import Place
from app.detectors.one_pass import contiguous_folds
from app.errors import InvalidTiling
from app.pipeline import Preprocessing, TiledModel, predict
from app.progress import Progress
from app.runtime import RunOptions
from app.scoring import MapRule
from app.tiling import Tiling
from tests.conftest import draw_surface

STRIDE = 8


class Colours(OnePassDetector):
    """Distance of a cell's mean colour to the mean colour of the normal pictures. Has no backbone.

    Args:
        weight: factor of the distances
    """

    name = "colours"
    map_rule = MapRule(upsampling="nearest")
    mean: Tensor  # [3]

    def __init__(self, weight: float = 1.0) -> None:
        super().__init__()
        self.weight = weight
        self.register_buffer("mean", torch.zeros(3))

    @property
    def parameters_of_model(self) -> dict[str, object]:
        return {"weight": self.weight}

    @property
    def feature_strides(self) -> tuple[int, ...]:
        return (STRIDE,)

    @property
    def stride(self) -> int:
        return STRIDE

    def network(self, tiles: Tensor) -> Features:
        return (F.avg_pool2d(tiles, STRIDE, ceil_mode=True),)

    def assemble(self, outputs: Features) -> Features:
        return outputs

    def measure(self, features: Features, places: Sequence[Place], counted: Tensor | None = None) -> Measurement:
        distances = torch.linalg.vector_norm(features[0] - self.mean[:, None, None], dim=1)
        return Measurement((self.weight * distances,))

    def fitter(self, pictures: int, grid: tuple[int, int]) -> Fitter:
        return _Mean(self)

    def fitting_memory(self, pictures: int, grid: tuple[int, int]) -> int:
        return 0

    def activation_bytes(self, pixels: int) -> int:
        return 12 * pixels // STRIDE**2


class _Mean(Fitter):
    def __init__(self, detector: Colours) -> None:
        self._detector = detector
        self._sums: list[Tensor] = []  # of each picture: [3] and the number of cells, [4]

    def add(self, features: Features, top: int, left: int = 0) -> None:
        if top == left == 0:
            self._sums.append(torch.zeros(4))
        self._sums[-1] += torch.cat([features[0], torch.ones_like(features[0][:1])]).sum((1, 2))

    def finish(self, progress: Progress) -> None:
        self._detector.mean = self._mean(self._sums)

    def folds(self, pictures: int) -> Sequence[range]:
        return contiguous_folds(pictures)

    def without(self, pictures: range) -> Detector:
        twin = self._detector.twin()
        twin.mean = self._mean(self._sums[: pictures.start] + self._sums[pictures.stop :])
        return twin

    def _mean(self, sums: list[Tensor]) -> Tensor:
        total = torch.stack(sums).sum(0)
        return total[:3] / total[3]


def test_a_new_detector_is_trained_written_loaded_and_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(DETECTORS, "colours", Colours)
    pictures, models = tmp_path / "pictures", tmp_path / "models"
    pictures.mkdir()
    for number in range(5):
        Image.fromarray(draw_surface(number)).save(pictures / f"{number}.png")
    detector = ["--model", "Colours", "--model.weight", "2", "--tiling.tile_size", "64"]
    arguments = ["--data", "Folder", "--data.root", str(pictures), "--name", "own", "--models_dir", str(models)]
    assert main(["train", *detector, *arguments]) == 0, capsys.readouterr().err
    entry = ModelRepository(models).find("own", 1)
    model = load_artifact(entry, options=RunOptions(precision="auto", batch_tiles=0, lanes=2)).model
    assert isinstance(model.detector, Colours) and model.detector.weight == 2
    assert model.execution.fallback is not None  # no runtime supports average pooling
    picture = torch.from_numpy(draw_surface(0)).permute(2, 0, 1).contiguous()
    stained = picture.clone()
    stained[:, 16:32, 16:32] = 0
    assert predict(model, stained).raw_score > predict(model, picture).raw_score


class Floored(Colours):
    def network(self, tiles: Tensor) -> Features:
        return (F.avg_pool2d(tiles, STRIDE),)


def test_features_of_another_size_are_refused() -> None:
    model = TiledModel(Floored(), Preprocessing(None), Tiling(enable=False))
    with pytest.raises(InvalidTiling, match=r"\(12, 12\) .* \(13, 12\)"):
        predict(model, torch.zeros(3, 100, 96, dtype=torch.uint8))
    assert predict(TiledModel(Colours(), Preprocessing(None), Tiling(enable=False)), torch.zeros(3, 100, 96).byte())
