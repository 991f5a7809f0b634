"""The thresholds of a taught version, from values that are written down here."""

import numpy as np
import pytest

from app.artifacts import CalibrationRecord, ThresholdRecord
from app.scoring import calibrate_on_normal, normal_threshold
from app.teaching.learning.thresholds import Measured, new_thresholds

BASE = np.random.default_rng(0).normal(10, 1, 20).tolist()
NEW = np.random.default_rng(1).normal(12, 1, 80).tolist()


def base(margin: float = 0.0) -> CalibrationRecord:
    found = calibrate_on_normal(BASE, BASE, 0.05, (margin, margin))
    thresholds = ThresholdRecord(
        method="gumbel",
        image_limits=(1, 2),
        pixel_limits=(1, 2),
        image_margin=margin,
        pixel_margin=margin,
        image_values=tuple(sorted(BASE)),
        pixel_values=tuple(sorted(BASE)),
    )
    return CalibrationRecord(
        protocol="cross-conformal",
        pictures=20,
        false_positive_rate=0.05,
        image_threshold=found.image_threshold,
        image_min=0,
        image_max=1,
        pixel_threshold=found.pixel_threshold,
        pixel_min=0,
        pixel_max=1,
        thresholds=thresholds,
    )


def normal(values: list[float]) -> list[Measured]:
    return [Measured(f"n{number}", value, value) for number, value in enumerate(values)]


def test_without_reviews_the_thresholds_stay() -> None:
    found = new_thresholds(base(), [], [])
    assert found.calibration.image_threshold == pytest.approx(base().image_threshold)
    assert found.calibration.pixel_threshold == pytest.approx(base().pixel_threshold)
    assert (found.pictures, found.rate, found.lowered) == (20, 0.05, False)


def test_the_values_of_the_base_and_of_the_reviews_count_together() -> None:
    found = new_thresholds(base(), normal(NEW), [])
    assert found.calibration.image_threshold == pytest.approx(normal_threshold([*BASE, *NEW], 0.05))
    assert found.record.image_values == tuple(sorted([*BASE, *NEW]))
    assert found.alarms.pictures == 100
    assert found.alarms.exceeded == sum(value > found.calibration.image_threshold for value in [*BASE, *NEW])


def test_a_requested_rate_replaces_that_of_the_base() -> None:
    found = new_thresholds(base(), normal(NEW), [], 0.01)
    assert found.rate == 0.01
    assert found.calibration.image_threshold == pytest.approx(normal_threshold([*BASE, *NEW], 0.01))
    assert found.calibration.image_threshold > new_thresholds(base(), normal(NEW), []).calibration.image_threshold


def test_a_confirmed_defect_lowers_the_threshold_while_the_rate_is_kept() -> None:
    highest = sorted([*BASE, *NEW], reverse=True)
    score = (highest[5] + highest[4]) / 2  # 5 % of 100 values are higher
    found = new_thresholds(base(), normal(NEW), [Measured("d", score, score)])
    assert found.lowered and found.missed == () and found.unmarked == ()
    assert highest[5] <= found.calibration.image_threshold < score
    assert found.alarms.exceeded == 5


def test_a_defect_that_would_cost_more_alarms_is_reported_as_missed() -> None:
    highest = sorted([*BASE, *NEW], reverse=True)
    usual = new_thresholds(base(), normal(NEW), []).calibration
    found = new_thresholds(base(), normal(NEW), [Measured("d", highest[9], highest[9])])
    assert found.calibration == usual
    assert (found.missed, found.unmarked, found.lowered) == (("d",), ("d",), False)


def test_defects_that_are_found_anyway_change_nothing() -> None:
    usual = new_thresholds(base(), normal(NEW), []).calibration
    assert new_thresholds(base(), normal(NEW), [Measured("d", 100, 100)]).calibration == usual


def test_the_weakest_area_of_a_picture_sets_the_threshold_of_pixels() -> None:
    highest = sorted([*BASE, *NEW], reverse=True)
    weak = (highest[3] + highest[4]) / 2
    found = new_thresholds(base(), normal(NEW), [Measured("d", 100, 100, (50, weak))])
    assert highest[5] <= found.calibration.pixel_threshold < weak
    assert not found.lowered and found.unmarked == ()


def test_a_lowered_threshold_keeps_the_margin_of_rounding() -> None:
    highest = sorted([*BASE, *NEW], reverse=True)
    score = highest[5] + 0.01
    found = new_thresholds(base(margin=0.05), normal(NEW), [Measured("d", score, score)])
    assert found.calibration.image_threshold >= highest[5] + 0.05
    assert found.missed == ("d",)
