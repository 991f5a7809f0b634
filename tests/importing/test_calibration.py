from dataclasses import replace

import pytest

from app.errors import UnsupportedImport
from app.importing import Thresholds
from app.importing.calibration import calibration
from app.importing.components import plain_post_processing
from app.importing.reference import PostProcessing
from app.scoring import Calibration
from tests.importing.files import NUMBERS

NAN = float("nan")
NONE_GIVEN = Thresholds()


def test_complete_numbers_are_taken_as_they_are() -> None:
    assert calibration(NUMBERS, PostProcessing(), NONE_GIVEN) == (Calibration(3, 1, 5, 2, 0, 4), ())


@pytest.mark.parametrize("sensitivity", [0.1, 0.3, 0.5, 0.8, 1.0])
def test_labels_are_those_of_the_sensitivity(sensitivity: float) -> None:
    settings = PostProcessing(sensitivity, sensitivity)
    found, _ = calibration(NUMBERS, settings, NONE_GIVEN)
    for step in range(-20, 80):
        raw = step / 10 + 0.05
        normalised = min(max((raw - 3) / (5 - 1) + 0.5, 0), 1)
        assert (raw > found.image_threshold) == (normalised > 1 - sensitivity), raw
        normalised = min(max((raw - 2) / 4 + 0.5, 0), 1)
        assert (raw > found.pixel_threshold) == (normalised > 1 - sensitivity), raw


def test_a_missing_threshold_is_that_of_the_other_level() -> None:
    found, assumed = calibration({**NUMBERS, "_pixel_threshold": NAN}, PostProcessing(), NONE_GIVEN)
    assert found == Calibration(3, 1, 5, 3, 0, 4)
    assert assumed == ("pixel threshold: the file has none, and that of the image is used, as anomalib does",)
    found, _ = calibration({**NUMBERS, "_image_threshold": NAN}, PostProcessing(), NONE_GIVEN)
    assert found.image_threshold == 2


def test_a_missing_threshold_is_the_middle_where_it_may_not_be_matched() -> None:
    settings = replace(PostProcessing(), threshold_matching=False)
    found, assumed = calibration({**NUMBERS, "_pixel_threshold": NAN}, settings, NONE_GIVEN)
    assert found.pixel_threshold == 2
    assert "the middle of its range" in assumed[0]


def test_without_thresholds_both_are_the_middle() -> None:
    values = {**NUMBERS, "_pixel_threshold": NAN, "_image_threshold": NAN}
    found, assumed = calibration(values, PostProcessing(), NONE_GIVEN)
    assert (found.image_threshold, found.pixel_threshold) == (3, 2)
    assert len(assumed) == 2


def test_without_a_range_scores_reach_twice_the_threshold() -> None:
    values = {**NUMBERS, "image_min": NAN, "image_max": NAN}
    found, assumed = calibration(values, PostProcessing(), NONE_GIVEN)
    assert (found.image_threshold, found.image_min, found.image_max) == (3, 0, 6)
    assert assumed == ("image range: the file has none; scores are told from 0 to twice the threshold",)


def test_without_anything_scores_are_told_as_they_are_and_the_words_are_loud() -> None:
    found, assumed = calibration(dict.fromkeys(NUMBERS, NAN), PostProcessing(), NONE_GIVEN)
    assert found == Calibration(0.5, 0, 1, 0.5, 0, 1)
    assert found.normalise_score(0.3) == pytest.approx(0.3)
    assert all("THE FILE HAS NONE" in words and "_threshold" in words for words in assumed)
    assert len(assumed) == 2


def test_given_thresholds_are_used_whatever_the_sensitivity() -> None:
    found, assumed = calibration(NUMBERS, PostProcessing(0.3, 0.8), Thresholds(image=4.5, pixel=1.5))
    assert (found.image_threshold, found.pixel_threshold) == (4.5, 1.5)
    assert not assumed
    found, _ = calibration(dict.fromkeys(NUMBERS, NAN), PostProcessing(), Thresholds(image=4.5, pixel=1.5))
    assert found == Calibration(4.5, 0, 9, 1.5, 0, 3)


def test_an_empty_range_still_tells_one_side_from_the_other() -> None:
    found, assumed = calibration({**NUMBERS, "image_max": 1.0}, PostProcessing(), NONE_GIVEN)
    assert found.normalise_score(2.9) == 0
    assert found.normalise_score(3.1) == 1
    assert "it is empty" in assumed[0]


def test_infinite_numbers_are_refused() -> None:
    with pytest.raises(UnsupportedImport, match="infinite"):
        calibration({**NUMBERS, "image_max": float("-inf")}, PostProcessing(), NONE_GIVEN)


def test_sensitivities_are_read_with_their_defaults() -> None:
    assert plain_post_processing({}) == PostProcessing()
    assert plain_post_processing({"image_sensitivity": None, "pixel_sensitivity": 1}) == PostProcessing(0.5, 1.0)
    assert not plain_post_processing({"enable_threshold_matching": False}).threshold_matching


@pytest.mark.parametrize("value", [0, 0.0, 1.5, -1, "high", [0.5], float("nan")])
def test_impossible_sensitivities_are_refused(value: object) -> None:
    with pytest.raises(UnsupportedImport, match=r"image_sensitivity is .*; more than 0 and at most 1"):
        plain_post_processing({"image_sensitivity": value})
