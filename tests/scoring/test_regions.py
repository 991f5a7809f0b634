import numpy as np

from app.scoring import find_regions


def test_regions_have_box_area_and_peak_and_come_highest_first() -> None:
    found = np.zeros((20, 30), np.float32)
    found[2:5, 3:8] = 0.6
    found[4, 6] = 0.7
    found[10:12, 20:25] = 0.8
    found[11, 21] = 0.9
    first, second = find_regions(found, 0.5)
    assert (first.top, first.left, first.height, first.width, first.area) == (10, 20, 2, 5, 10)
    assert first.peak == (11, 21)
    assert first.peak_value == np.float32(0.9)
    assert (second.top, second.left, second.height, second.width, second.area) == (2, 3, 3, 5, 15)
    assert second.peak == (4, 6)


def test_pixels_that_touch_at_a_corner_are_one_region() -> None:
    assert len(find_regions(np.eye(5, dtype=np.float32), 0.5)) == 1


def test_a_region_within_anothers_box_has_its_own_peak() -> None:
    found = np.zeros((9, 9), np.float32)
    found[0, :] = found[:, 0] = 0.6
    found[5, 5] = 0.9
    inner, outer = find_regions(found, 0.5)
    assert (inner.area, inner.peak) == (1, (5, 5))
    assert outer.area == 17
    assert outer.peak_value == np.float32(0.6)


def test_small_regions_are_left_out() -> None:
    found = np.zeros((9, 9), np.float32)
    found[0, 0] = found[5, 5] = found[5, 6] = 1
    assert [region.area for region in find_regions(found, 0.5, min_area=2)] == [2]


def test_a_value_at_the_threshold_is_not_over_it() -> None:
    assert find_regions(np.full((4, 4), 0.5, np.float32), 0.5) == []
