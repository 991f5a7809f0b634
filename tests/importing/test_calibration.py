from dataclasses import replace

import pytest

from app.errors import UnsupportedImport
from app.importing import Thresholds
from app.importing.calibration import calibration, threshold_questions
from app.importing.components import plain_post_processing
from app.importing.reference import PostProcessing
from app.scoring import Calibration
from tests.importing.files import NUMBERS

NAN = float("nan")
NONE_GIVEN = Thresholds()


def test_complete_thresholds_and_ranges_are_kept() -> None:
    assert calibration(NUMBERS, PostProcessing(), NONE_GIVEN) == (Calibration(3, 1, 5, 2, 0, 4), ())


@pytest.mark.parametrize("sensitivity", [0.1, 0.3, 0.5, 0.8, 1.0])
def test_thresholds_give_the_labels_of_the_sensitivity(sensitivity: float) -> None:
    settings = PostProcessing(sensitivity, sensitivity)
    found, _ = calibration(NUMBERS, settings, NONE_GIVEN)
    for step in range(-20, 80):
        raw = step / 10 + 0.05
        normalised = min(max((raw - 3) / (5 - 1) + 0.5, 0), 1)
        assert (raw > found.image_threshold) == (normalised > 1 - sensitivity), raw
        normalised = min(max((raw - 2) / 4 + 0.5, 0), 1)
        assert (raw > found.pixel_threshold) == (normalised > 1 - sensitivity), raw


def test_a_missing_threshold_is_replaced_by_that_of_the_other_level() -> None:
    found, assumed = calibration({**NUMBERS, "_pixel_threshold": NAN}, PostProcessing(), NONE_GIVEN)
    assert found == Calibration(3, 1, 5, 3, 0, 4)
    (note,) = assumed
    assert note.startswith("pixel threshold:") and "image" in note
    found, _ = calibration({**NUMBERS, "_image_threshold": NAN}, PostProcessing(), NONE_GIVEN)
    assert found.image_threshold == 2


def test_without_threshold_matching_a_missing_threshold_is_the_middle_of_its_range() -> None:
    settings = replace(PostProcessing(), threshold_matching=False)
    found, assumed = calibration({**NUMBERS, "_pixel_threshold": NAN}, settings, NONE_GIVEN)
    assert found.pixel_threshold == 2
    assert assumed[0].startswith("pixel threshold:") and "image" not in assumed[0]


def test_without_thresholds_both_are_the_middle_of_their_ranges() -> None:
    values = {**NUMBERS, "_pixel_threshold": NAN, "_image_threshold": NAN}
    found, assumed = calibration(values, PostProcessing(), NONE_GIVEN)
    assert (found.image_threshold, found.pixel_threshold) == (3, 2)
    assert len(assumed) == 2


def test_without_a_range_scores_reach_from_zero_to_twice_the_given_threshold() -> None:
    values = {**NUMBERS, "image_min": NAN, "image_max": NAN}
    found, assumed = calibration(values, PostProcessing(), Thresholds(image=3.0))
    assert (found.image_threshold, found.image_min, found.image_max) == (3, 0, 6)
    (note,) = assumed
    assert note.startswith("image range:")


def asked(values: dict[str, float], settings: PostProcessing, given: Thresholds = NONE_GIVEN) -> list[str]:
    return [question.partition(":")[0] for question in threshold_questions(values, settings, given)]


@pytest.mark.parametrize(
    ("unset", "settings", "expected"),
    [
        ((), PostProcessing(), []),
        ((), PostProcessing(thresholding=False), []),
        (("_image_threshold", "_pixel_threshold"), PostProcessing(), []),  # anomalib takes the middles of the ranges
        (("_image_threshold", "_pixel_threshold"), PostProcessing(thresholding=False), ["image", "pixel"]),
        (("_pixel_threshold",), PostProcessing(thresholding=False), []),
        (("_pixel_threshold",), PostProcessing(thresholding=False, threshold_matching=False), ["pixel"]),
        (("image_min",), PostProcessing(), ["image"]),
        (("pixel_min", "pixel_max", "_pixel_threshold"), PostProcessing(), ["pixel"]),
        ((), PostProcessing(normalisation=False), ["image", "pixel"]),
        (tuple(NUMBERS), PostProcessing(), ["image", "pixel"]),
    ],
)
def test_thresholds_that_the_file_does_not_give_are_asked_for(
    unset: tuple[str, ...], settings: PostProcessing, expected: list[str]
) -> None:
    values = {**NUMBERS, **dict.fromkeys(unset, NAN)}
    assert asked(values, settings) == [f"--{level}_threshold" for level in expected]
    assert asked(values, settings, Thresholds(1.0, 1.0)) == []


def test_given_thresholds_do_not_depend_on_the_sensitivity() -> None:
    found, assumed = calibration(NUMBERS, PostProcessing(0.3, 0.8), Thresholds(image=4.5, pixel=1.5))
    assert (found.image_threshold, found.pixel_threshold) == (4.5, 1.5)
    assert not assumed
    found, _ = calibration(dict.fromkeys(NUMBERS, NAN), PostProcessing(), Thresholds(image=4.5, pixel=1.5))
    assert found == Calibration(4.5, 0, 9, 1.5, 0, 3)


def test_an_empty_range_still_separates_values_at_the_threshold() -> None:
    found, assumed = calibration({**NUMBERS, "image_max": 1.0}, PostProcessing(), NONE_GIVEN)
    assert found.normalise_score(2.9) == 0
    assert found.normalise_score(3.1) == 1
    assert assumed[0].startswith("image range:")


def test_an_infinite_range_is_refused() -> None:
    with pytest.raises(UnsupportedImport, match="infinite"):
        calibration({**NUMBERS, "image_max": float("-inf")}, PostProcessing(), NONE_GIVEN)


def test_sensitivities_are_read_with_their_defaults() -> None:
    assert plain_post_processing({}) == PostProcessing()
    assert plain_post_processing({"image_sensitivity": None, "pixel_sensitivity": 1}) == PostProcessing(0.5, 1.0)
    assert not plain_post_processing({"enable_threshold_matching": False}).threshold_matching
    assert not plain_post_processing({"enable_normalization": False}).normalisation
    assert not plain_post_processing({"enable_thresholding": False}).thresholding


@pytest.mark.parametrize("value", [0, 0.0, 1.5, -1, "high", [0.5], float("nan")])
def test_impossible_sensitivities_are_refused(value: object) -> None:
    with pytest.raises(UnsupportedImport, match="image_sensitivity"):
        plain_post_processing({"image_sensitivity": value})
