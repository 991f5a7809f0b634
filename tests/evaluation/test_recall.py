from math import ceil
from pathlib import Path

import numpy as np
import pytest

from app.evaluation import RECALLS, PictureResult, operating_points
from app.scoring import Calibration

CALIBRATION = Calibration(10.0, 0.0, 20.0, 1.0, 0.0, 2.0)


def results(normal: list[float], anomalous: list[float]) -> list[PictureResult]:
    pairs = [(score, False) for score in normal] + [(score, True) for score in anomalous]
    return [
        PictureResult(Path("x"), "cut", label, (1, 1), None, raw, 0.0, CALIBRATION.normalise_score(raw), raw > 10)
        for raw, label in pairs
    ]


def test_each_point_finds_what_it_promises_with_the_fewest_false_alarms() -> None:
    random = np.random.default_rng(0)
    normal, anomalous = random.uniform(2, 12, 70).tolist(), random.uniform(6, 18, 37).tolist()
    points = operating_points(results(normal, anomalous), CALIBRATION)
    assert [point.wanted for point in points] == list(RECALLS)
    for point in points:
        needed = ceil(point.wanted * 37)
        found = point.found
        assert found.true_positives == sum(score > point.raw_threshold for score in anomalous) == needed
        assert found.false_positives == sum(score > point.raw_threshold for score in normal)
        assert found.false_positives == sum(score > sorted(anomalous)[-needed] for score in normal)
        assert CALIBRATION.normalise_score(point.raw_threshold) == pytest.approx(point.threshold)
        assert len(f"{point.threshold:g}") <= 6


def test_scores_below_the_scale_cannot_be_found_and_scores_above_it_share_a_threshold() -> None:
    points = operating_points(results([5.0], [-1.0, 30.0, 40.0, 12.0]), CALIBRATION)
    assert [point.wanted for point in points] == [0.5]
    assert points[0].found.true_positives == 2
    assert 0.6 <= points[0].threshold < 1
    assert operating_points(results([5.0], [0.0]), CALIBRATION) == []


def test_without_defects_there_is_no_recall() -> None:
    assert operating_points(results([5.0], []), CALIBRATION) == []


def test_ties_with_normal_pictures_raise_alarms() -> None:
    (point, *_) = operating_points(results([12.0, 12.0, 3.0], [12.0]), CALIBRATION)
    assert (point.found.true_positives, point.found.false_positives) == (1, 2)
