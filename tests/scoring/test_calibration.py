import pytest
import torch

from app.scoring import Calibration, calibrate_on_normal


def test_scores_and_maps_are_normalised_around_the_threshold() -> None:
    calibration = Calibration(4.0, 1.0, 9.0, 10.0, 0.0, 20.0)
    assert [calibration.normalise_score(raw) for raw in (-10, 0, 4, 6, 8, 100)] == [0, 0, 0.5, 0.75, 1, 1]
    normalised = calibration.normalise_map(torch.tensor([0.0, 10.0, 15.0, 50.0]))
    assert normalised.tolist() == [0.0, 0.5, 0.75, 1.0]


def test_the_threshold_is_exceeded_at_the_rate_asked_for() -> None:
    values = [float(value) for value in range(1, 100)]
    calibration = calibrate_on_normal(values, [2 * value for value in values], 0.05)
    assert calibration.image_threshold == 95
    assert calibration.pixel_threshold == 190
    assert calibration.normalise_score(95) == 0.5


def test_with_too_few_pictures_the_threshold_lies_above_them_all() -> None:
    calibration = calibrate_on_normal([1.0, 2.0, 4.0], [1.0, 1.0, 1.0], 0.05)
    assert calibration.image_threshold == 6
    assert calibration.pixel_threshold == 1


@pytest.mark.parametrize("value", [0.0, 3.0])
def test_pictures_that_are_all_alike_leave_a_usable_scale(value: float) -> None:
    calibration = calibrate_on_normal([value], [value], 0.05)
    assert calibration.normalise_score(value) <= 0.5
    assert calibration.normalise_score(value + 10) == 1
