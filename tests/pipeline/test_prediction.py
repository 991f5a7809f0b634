import pytest
import torch

from app.pipeline import Label, Outcome, interpret
from app.scoring import Calibration

CALIBRATION = Calibration(2.0, 0.0, 4.0, 5.0, 0.0, 10.0)


def test_a_score_over_the_threshold_is_anomalous() -> None:
    prediction = interpret(Outcome(3.0, torch.zeros(8, 8)), CALIBRATION)
    assert (prediction.label, prediction.score, prediction.raw_score) == (Label.anomalous, 0.75, 3.0)


def test_a_score_at_the_threshold_is_normal() -> None:
    prediction = interpret(Outcome(2.0, torch.zeros(8, 8)), CALIBRATION)
    assert (prediction.label, prediction.score) == (Label.normal, 0.5)


def test_regions_are_where_the_map_exceeds_its_threshold() -> None:
    found = torch.zeros(10, 20)
    found[3:5, 7:12] = 6.0
    found[4, 8] = 8.0
    (region,) = interpret(Outcome(3.0, found), CALIBRATION).regions
    assert (region.top, region.left, region.height, region.width, region.area) == (3, 7, 2, 5, 10)
    assert region.peak == (4, 8)
    assert region.score == pytest.approx(0.8)


def test_a_regions_score_is_at_most_one() -> None:
    (region,) = interpret(Outcome(3.0, torch.full((4, 4), 100.0)), CALIBRATION).regions
    assert region.score == 1.0
