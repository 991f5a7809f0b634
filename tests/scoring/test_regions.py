import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from app.scoring import Region, RegionFinder, find_regions, over_threshold, region_areas


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


def described(anomaly_map: NDArray[np.float32], threshold: float, min_area: int) -> list[Region]:
    """The regions of a map that is labelled at once."""
    labels, _ = ndimage.label(anomaly_map > threshold, structure=np.ones((3, 3)))
    found = []
    for number, (down, across) in enumerate(ndimage.find_objects(labels), start=1):
        inside = labels[down, across] == number
        shown = np.where(inside, anomaly_map[down, across], -np.inf)
        row, column = np.unravel_index(int(shown.argmax()), shown.shape)
        peak = down.start + int(row), across.start + int(column)
        if inside.sum() >= min_area:
            height, width = shown.shape
            found.append(Region(down.start, across.start, height, width, int(inside.sum()), float(shown.max()), peak))
    return sorted(found, key=lambda region: region.peak_value, reverse=True)


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("band_pixels", [1, 40, 150])
def test_regions_of_a_map_in_bands_are_those_of_the_whole_map(
    monkeypatch: pytest.MonkeyPatch, seed: int, band_pixels: int
) -> None:
    """Also regions that several bands divide, and join again; with equal peaks, and with bands that have none."""
    monkeypatch.setattr("app.scoring.components.BAND_PIXELS", band_pixels)
    rng = np.random.default_rng(seed)
    height, width = rng.integers(1, 40, 2)
    levels = rng.integers(0, rng.integers(2, 9), (height, width))
    found = (levels / 8).astype(np.float32)
    found[: rng.integers(0, height + 1)] *= rng.random() < 0.5
    found[rng.random((height, width)) < 0.01] = np.nan
    for threshold, min_area in ((0.05, 1), (0.4, 1), (0.4, 3)):
        expected = described(found, threshold, min_area)
        assert find_regions(found, threshold, min_area) == expected
        areas = sorted(region.area for region in described(found, threshold, 1))
        assert sorted(region_areas(found, threshold).tolist()) == areas
        mask = over_threshold(found, threshold, min_area)
        assert mask.sum() == sum(region.area for region in expected)
        assert all(mask[region.peak] for region in expected)


@pytest.mark.parametrize("seed", range(20))
def test_regions_of_rows_that_are_added_one_after_the_other_are_those_of_the_whole_map(seed: int) -> None:
    rng = np.random.default_rng(seed)
    found = (rng.integers(0, 5, (200, 17)) / 4).astype(np.float32)
    found[rng.random(200) < 0.1] = 0
    finder, rows, early = RegionFinder(0.6, 2), 0, []
    while rows < len(found):
        own = found[rows : rows + int(rng.integers(1, 9))]
        finder.add(own)
        rows += len(own)
        final = finder.final()
        assert all(region.top + region.height < rows for region in final)  # none that reaches the last row
        assert sorted(final, key=lambda region: -region.peak_value) == final
        early += final
    assert early
    late = finder.finish()
    assert all(region.top + region.height == rows for region in late)
    order = lambda region: (region.top, region.left, region.area)  # noqa: E731
    assert sorted([*early, *late], key=order) == sorted(find_regions(found, 0.6, 2), key=order)


def test_regions_without_an_end_are_cut_into_parts() -> None:
    """Every pixel over the threshold belongs to one part, and no part has many more rows than the limit."""
    found = np.zeros((200, 12), np.float32)
    found[3:190, 2] = 1  # one long region, with a branch that joins it twice
    found[40:60, 2:7] = 2
    found[20:24, 9] = 1  # and others beside it
    found[100:, 11] = 3
    finder, final, cut = RegionFinder(0.5), list[Region](), list[Region]()
    for first in range(0, 200, 5):
        finder.add(found[first : first + 5])
        final += finder.final()
        cut += finder.cut(30)
        assert not finder.cut(30)
    final += finder.finish()
    assert sum(region.area for region in final + cut) == (found > 0.5).sum()
    assert all(30 <= region.height < 35 for region in cut)
    assert Region(20, 9, 4, 1, 4, 1.0, (20, 9)) in final
    spans = sorted((each.top, each.top + each.height) for each in final + cut if each.left == 2)
    assert [start for start, _ in spans] == [3, *(end for _, end in spans[:-1])]
    assert {each.left for each in cut} == {2, 11}
