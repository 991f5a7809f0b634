import pytest
import torch

from app.scoring import Calibration, calibrate_as_reference, calibrate_on_normal, f1_threshold, normal_threshold
from app.scoring.gumbel import prediction_limit


def test_scores_and_maps_are_normalised_around_the_threshold() -> None:
    calibration = Calibration(4.0, 1.0, 9.0, 10.0, 0.0, 20.0)
    assert [calibration.normalise_score(raw) for raw in (-10, 0, 4, 6, 8, 100)] == [0, 0, 0.5, 0.75, 1, 1]
    normalised = calibration.normalise_map(torch.tensor([0.0, 10.0, 15.0, 50.0]))
    assert normalised.tolist() == [0.0, 0.5, 0.75, 1.0]


def test_the_threshold_is_exceeded_at_the_requested_rate() -> None:
    values = [float(value) for value in range(1, 100)]
    calibration = calibrate_on_normal(values, [2 * value for value in values], 0.05)
    assert calibration.image_threshold == 95
    assert calibration.pixel_threshold == 190
    assert calibration.normalise_score(95) == 0.5


def test_with_too_few_pictures_the_threshold_is_the_prediction_limit() -> None:
    values = [float(value) for value in range(19)]
    assert normal_threshold(values, 0.05) == 18
    assert normal_threshold(values[:18], 0.05) == prediction_limit(values[:18], 0.05) > 17


def test_the_threshold_of_a_single_picture_is_its_value() -> None:
    assert normal_threshold([7.0], 0.05) == 7


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
