"""The announced time has all stages of a training, and of a choice of the detector before it."""

from pathlib import Path

import pytest
import torch
from PIL import Image

from app.data import Folder
from app.detectors import Detector, Forecast
from app.pipeline import TiledModel
from app.tiling import Tiling
from app.training import Recipe
from app.training import time_left as time_left_module
from app.training.assessment import TRIED, pictures_assessed
from app.training.forecast import ROUNDED, Ahead, expect_training
from app.training.selection import Auto
from app.training.time_left import TimeLeft
from tests.conftest import draw_surface


class Noted:
    """A Progress that keeps the announcements."""

    def __init__(self) -> None:
        self.estimates = list[str]()

    def __call__(self, stage: str, done: int, total: int, note: str = "") -> None:
        if stage == "estimate":
            self.estimates.append(note)


def test_every_stage_after_the_fit_is_expected() -> None:
    noted = Noted()
    left = TimeLeft(noted, lambda: 0.0)
    expect_training(left, Forecast({"coreset": 50.0}, 2.0), 10.0, Ahead(calibrated=20, run_again=0.5, assessed=3.0))
    margins = 8 * ((1 + ROUNDED) * 10 + 2 * 2)
    assert left.seconds == 50 + 20 * (5 + 2) + margins + 3 * 12
    left.announce()
    stages = ("coreset", "calibration", "margins", "defects")
    assert [noted.estimates[0].find(stage) >= 0 for stage in stages] == [True] * 4


def test_pictures_that_are_measured_at_once_share_the_time() -> None:
    left = TimeLeft(Noted(), lambda: 0.0)
    expect_training(left, Forecast({}, 2.0), 0.0, Ahead(calibrated=20, run_again=0.5, assessed=0.0, at_once=4))
    assert left.seconds == 20 * 2 / 4 + 8 * 2 * 2


def test_a_progress_that_estimates_is_not_wrapped_again() -> None:
    left = TimeLeft(Noted())
    assert TimeLeft.of(left) is left
    assert isinstance(TimeLeft.of(Noted()), TimeLeft)


def test_an_assessment_of_large_pictures_needs_a_part_of_them(tiny_model: TiledModel) -> None:
    assert pictures_assessed(tiny_model, {(64, 64): 3}) == TRIED
    tiles = tiny_model.plan(640, 640).count
    assert pictures_assessed(tiny_model, {(640, 640): 3}) == pytest.approx(TRIED * 4 / tiles)


def test_a_choice_announces_its_stages_and_those_of_the_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time_left_module, "WARM_S", 0.0)
    for number in range(8):
        Image.fromarray(draw_surface(number)).save(tmp_path / f"{number}.png")
    data, noted = Folder(str(tmp_path), num_workers=0), Noted()

    def recipe(detector: Detector) -> Recipe:
        return Recipe(detector, data, Tiling(tile_size=64), seed=0)

    Auto(["Subspace top", "Subspace patch"]).recipe(recipe, torch.device("cpu"), 0, noted)
    (estimate,) = noted.estimates
    for stage in ("candidates", "fits", "trial defects", "pictures", "components", "calibration", "margins", "defects"):
        assert f"{stage} 0:" in estimate
