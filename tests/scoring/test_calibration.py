import numpy as np
import pytest
import torch

from app.scoring import (
    Calibration,
    calibrate_as_reference,
    calibrate_on_normal,
    clear_threshold,
    confidence_limits,
    f1_threshold,
    normal_threshold,
)
from app.scoring.gumbel import prediction_limit


def test_scores_and_maps_are_normalised_around_the_threshold() -> None:
    calibration = Calibration(4.0, 1.0, 9.0, 10.0, 0.0, 20.0)
    assert [calibration.normalise_score(raw) for raw in (-10, 0, 4, 6, 8, 100)] == [0, 0, 0.5, 0.75, 1, 1]
    normalised = calibration.normalise_map(torch.tensor([0.0, 10.0, 15.0, 50.0]))
    assert normalised.tolist() == [0.0, 0.5, 0.75, 1.0]


def test_the_threshold_is_exceeded_at_the_requested_rate() -> None:
    values = [float(value) for value in range(1, 100)]
    calibration = calibrate_on_normal(values, [2 * value for value in values], 0.05)
    assert sum(value > calibration.image_threshold for value in values) in range(10)
    assert calibration.pixel_threshold == pytest.approx(2 * calibration.image_threshold)
    assert calibration.normalise_score(calibration.image_threshold) == 0.5


@pytest.mark.parametrize("count", [2, 18, 40, 400])
def test_the_threshold_is_the_prediction_limit(count: int) -> None:
    values = np.random.default_rng(count).gumbel(5, 1, count).tolist()
    assert normal_threshold(values, 0.05) == prediction_limit(values, 0.05)


@pytest.mark.parametrize("rate", [0.05, 0.01])
def test_one_odd_picture_among_40_does_not_decide_the_threshold(rate: float) -> None:
    values = np.random.default_rng(0).gumbel(5, 1, 40).tolist()
    known = normal_threshold(values, rate)
    excess = 20.0
    moved = normal_threshold([*values[1:], known + excess], rate) - known
    assert 0 < moved < excess * (0.5 if rate == 0.05 else 0.75)
    assert known + moved < known + excess  # the odd picture stays over the threshold


def test_no_value_lies_just_under_a_clear_threshold() -> None:
    values = [1.0, 2.0, 2.95, 3.05, 4.0]
    assert clear_threshold(3.5, values, 0.1) == 3.5
    assert clear_threshold(2.5, values, 0.0) == 2.5
    assert clear_threshold(3.0, values, 0.1) == pytest.approx(3.15)
    assert clear_threshold(3.0, values, 0.3) == pytest.approx(3.35)
    for margin in (0.01, 0.1, 0.3):
        found = clear_threshold(2.97, values, margin)
        assert not any(found - margin + 1e-9 < value <= found for value in values)
    assert clear_threshold(0.0, [0.0] * 5, 0.2) == 0.2


def test_dense_values_raise_the_threshold_by_one_margin() -> None:
    values = np.linspace(0, 100, 10_001).tolist()
    assert clear_threshold(50.0, values, 1.0) == 51.0


@pytest.mark.parametrize("count", [40, 184])
def test_confidence_limits_contain_the_limit_and_shrink_with_more_pictures(count: int) -> None:
    generator, held, widths = np.random.default_rng(1), 0, []
    truth = 5 - np.log(-np.log(0.95))
    for _ in range(40):
        low, high = confidence_limits(generator.gumbel(5, 1, count).tolist(), 0.05)
        held += low <= truth <= high
        widths.append(high - low)
    assert held >= 32
    assert np.mean(widths) < 14 / count**0.5


def test_a_single_picture_counts_as_two_that_are_alike() -> None:
    assert normal_threshold([7.0], 0.05) == normal_threshold([7.0, 7.0], 0.05) > 7


def test_the_best_threshold_of_pictures_lies_between_two_scores() -> None:
    assert f1_threshold([1, 2, 5, 9, 4], [False, False, True, True, False]) == 4.5
    assert f1_threshold([1, 8, 5, 9, 4], [False, False, True, True, False]) == 4.5
    below = f1_threshold([3, 3], [True, False])
    assert 2.9999 < below < 3


def test_the_reference_uses_the_score_with_the_best_f1_and_the_ranges() -> None:
    calibration = calibrate_as_reference([1, 2, 5, 9], [False, False, True, True], 3.5, (0.5, 12.0))
    assert calibration == Calibration(5, 1, 9, 3.5, 0.5, 12)


@pytest.mark.parametrize(("anomalous", "threshold"), [(False, 9), (True, 1)])
def test_the_reference_uses_an_extreme_score_if_a_label_is_missing(anomalous: bool, threshold: float) -> None:
    calibration = calibrate_as_reference([1, 5, 9], [anomalous] * 3, None, (0.0, 1.0))
    assert calibration.image_threshold == calibration.pixel_threshold == threshold


def test_the_reference_has_a_usable_scale_if_all_values_are_equal() -> None:
    calibration = calibrate_as_reference([2, 2], [True, False], 3.0, (3.0, 3.0))
    assert calibration.normalise_score(2) == 0.5
    assert calibration.normalise_score(3) == 1


@pytest.mark.parametrize("value", [0.0, 3.0])
def test_equal_pictures_give_a_usable_scale(value: float) -> None:
    calibration = calibrate_on_normal([value], [value], 0.05)
    assert calibration.normalise_score(value) <= 0.5
    assert calibration.normalise_score(value + 10) == 1
