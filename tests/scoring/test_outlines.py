"""Outlines of regions are valid polygons of exactly their pixels, whatever the bands are."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import ndimage

from app.errors import TooManyPoints
from app.scoring import OutlinedRegion, RegionFinder, Tracer, find_regions, outlined_regions
from tests.rasterising import pixels_of, require_valid

MOST = 10**6
Map = NDArray[np.float32]


@st.composite
def maps(draw: st.DrawFn) -> Map:
    """Maps of rough and smooth shapes: random pixels, enlarged pixels, and both together."""
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    height, width, scale = draw(st.integers(1, 40)), draw(st.integers(1, 40)), draw(st.integers(1, 5))
    share = draw(st.floats(0.05, 0.95))
    coarse = random.random((height // scale + 1, width // scale + 1)) < share
    found = np.kron(coarse, np.ones((scale, scale)))[:height, :width].astype(np.float32)
    flipped = random.random(found.shape) < draw(st.sampled_from([0, 0.02, 0.3]))
    found[flipped] = 1 - found[flipped]
    found[random.random(height) < draw(st.sampled_from([0, 0.1]))] = 0
    return found * random.random(found.shape).astype(np.float32)


def outlined(found: Map, min_area: int = 1) -> list[OutlinedRegion]:
    return list(outlined_regions([found], 0.1, min_area, MOST))


def plain(found: list[OutlinedRegion]) -> list[object]:
    return [(each.region, [[ring.tolist() for ring in polygon] for polygon in each.outline]) for each in found]


@settings(max_examples=150, deadline=None)
@given(maps(), st.sampled_from([1, 3]))
def test_outlines_are_valid_polygons_of_exactly_the_pixels_of_a_region(found: Map, min_area: int) -> None:
    labels, _ = ndimage.label(found > 0.1, structure=np.ones((3, 3)))
    regions = outlined(found, min_area)
    assert sorted((each.region for each in regions), key=lambda one: one.peak) == sorted(
        find_regions(found, 0.1, min_area), key=lambda one: one.peak
    )
    for each in regions:
        assert (
            pixels_of([ring for polygon in each.outline for ring in polygon], found.shape)
            == (labels == labels[each.region.peak])
        ).all()
        require_valid(each.outline, found.shape)


@settings(max_examples=100, deadline=None)
@given(maps(), st.lists(st.integers(1, 9), min_size=1, max_size=9), st.sampled_from([1, 3]), st.sampled_from([1, 60]))
def test_outlines_of_a_map_in_bands_are_those_of_the_whole_map(
    found: Map, heights: list[int], min_area: int, band_pixels: int
) -> None:
    ends = np.cumsum(heights * 40)
    bands = np.split(found, ends[ends < len(found)])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("app.scoring.components.BAND_PIXELS", band_pixels)
        in_bands = list(outlined_regions(bands, 0.1, min_area, MOST))
    assert plain(in_bands) == plain(outlined(found, min_area))


def test_regions_come_in_the_order_of_their_last_rows() -> None:
    found = np.zeros((9, 9), np.float32)
    found[0:8, 0] = found[2:4, 4] = found[2:4, 2] = found[5, 8] = 1
    assert [(each.region.left, each.region.top) for each in outlined(found)] == [(2, 2), (4, 2), (8, 5), (0, 0)]


def test_a_ring_begins_at_its_first_point_and_goes_to_the_right() -> None:
    found = np.zeros((5, 6), np.float32)
    found[1:4, 2:5] = 1
    found[2, 3] = 0
    ((outer, hole),) = outlined(found)[0].outline
    assert outer.tolist() == [[2, 1], [5, 1], [5, 4], [2, 4]]
    assert hole.tolist() == [[3, 2], [3, 3], [4, 3], [4, 2]]


def test_pixels_that_touch_at_corners_are_polygons_of_their_own() -> None:
    (region,) = outlined(np.eye(3, dtype=np.float32))
    assert [len(polygon) for polygon in region.outline] == [1, 1, 1]


def test_a_hole_that_touches_the_outside_at_a_corner_is_a_hole() -> None:
    found = np.ones((3, 3), np.float32)
    found[0, 2] = found[1, 1] = 0
    (region,) = outlined(found)
    assert [len(polygon) for polygon in region.outline] == [2]
    require_valid(region.outline, found.shape)


def test_memory_holds_the_points_of_open_regions_only() -> None:
    """A thousand regions of four points follow each other; eight points are enough, and seven are too few."""
    row, gap = np.array([[1, 0, 1]], np.float32), np.zeros((1, 3), np.float32)
    bands = [row, gap] * 500
    assert sum(1 for _ in outlined_regions(bands, 0.5, 1, 8)) == 1000
    with pytest.raises(TooManyPoints, match="more than 7 points; raise threshold"):
        list(outlined_regions(bands, 0.5, 1, 7))


def test_regions_that_are_too_small_count_no_points() -> None:
    found = np.zeros((40, 40), np.float32)
    found[::2, ::2] = 1
    assert list(outlined_regions([found], 0.5, 2, 80)) == []  # those of the last row are still open


def test_a_row_of_very_many_points_is_refused_before_it_fills_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    wide = np.tile(np.array([[1, 0]], np.float32), (1, 300))
    assert list(outlined_regions([wide], 0.5, 2, 600)) == []
    monkeypatch.setattr("app.scoring.outlines.AT_ONCE", 500)
    with pytest.raises(TooManyPoints):
        list(outlined_regions([wide], 0.5, 2, 500))


def test_a_finder_with_a_tracer_gives_outlines_as_rows_arrive() -> None:
    finder = RegionFinder(0.5, 1, Tracer(MOST))
    finder.add(np.array([[1, 0, 0], [0, 0, 1]], np.float32))
    assert [each.region.left for each in finder.outlined()] == [0]
    assert finder.outlined() == []
    finder.end()
    assert [each.region.left for each in finder.outlined()] == [2]
