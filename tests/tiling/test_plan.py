from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import InvalidTiling
from app.tiling import Size, Tiling, TilingMode, plan


def starts(length: int, tile: int, stride: int) -> tuple[int, ...]:
    """Where the tiles of an edge of a padded picture begin."""
    return plan(Tiling(tile_size=tile, stride=stride), length, tile).y.starts


def covering_starts(length: int, tile: int, stride: int, grid: int) -> tuple[int, ...]:
    """Where the tiles of an edge of a picture begin if the last tile is moved inward."""
    return plan(Tiling(tile_size=tile, stride=stride, mode=TilingMode.cover), length, tile, grid).y.starts


@pytest.mark.parametrize(
    ("length", "tile", "stride", "expected"),
    [
        (256, 256, 256, (0,)),
        (257, 256, 256, (0, 256)),
        (512, 256, 256, (0, 256)),
        (512, 256, 128, (0, 128, 256)),
        (300, 256, 128, (0, 128)),
        (1, 256, 128, (0,)),
    ],
)
def test_tiles_start_at_multiples_of_the_stride(length: int, tile: int, stride: int, expected: tuple[int, ...]) -> None:
    assert starts(length, tile, stride) == expected


@given(st.integers(1, 5000), st.integers(1, 300), st.data())
def test_the_tiles_cover_the_picture_and_the_last_one_overlaps_it(length: int, tile: int, data: st.DataObject) -> None:
    stride = data.draw(st.integers(1, tile))
    offsets = starts(length, tile, stride)
    assert offsets[-1] + tile >= length > offsets[-1]
    assert all(later - earlier == stride for earlier, later in pairwise(offsets))


@pytest.mark.parametrize(
    ("length", "tile", "stride", "grid", "expected"),
    [
        (256, 256, 256, 8, (0,)),
        (264, 256, 256, 8, (0, 8)),
        (257, 256, 256, 8, (0, 8)),
        (512, 256, 256, 8, (0, 256)),
        (1000, 256, 256, 8, (0, 256, 512, 744)),
        (1000, 256, 256, 1, (0, 256, 512, 744)),
        (777, 256, 256, 16, (0, 256, 512, 528)),
        (300, 256, 128, 4, (0, 44)),
        (1, 256, 128, 8, (0,)),
    ],
)
def test_the_last_covering_tile_ends_with_the_picture(
    length: int, tile: int, stride: int, grid: int, expected: tuple[int, ...]
) -> None:
    assert covering_starts(length, tile, stride, grid) == expected


@given(st.integers(1, 5000), st.integers(1, 40), st.integers(1, 16), st.data())
def test_covering_tiles_leave_no_gap_and_little_padding(
    length: int, cells: int, grid: int, data: st.DataObject
) -> None:
    tile, stride = cells * grid, data.draw(st.integers(1, cells)) * grid
    offsets = covering_starts(length, tile, stride, grid)
    assert all(offset % grid == 0 for offset in offsets)
    assert all(0 < later - earlier <= stride for earlier, later in pairwise(offsets))
    assert offsets[-1] + tile >= length
    assert len(offsets) == 1 or offsets[-1] + tile < length + grid


def test_covering_tiles_that_lie_side_by_side_are_disjoint() -> None:
    assert plan(Tiling(tile_size=256, mode=TilingMode.cover), 1024, 512, 8).disjoint
    assert not plan(Tiling(tile_size=256, mode=TilingMode.cover), 1000, 512, 8).disjoint


def test_the_canvas_is_the_tiles_extent() -> None:
    geometry = plan(Tiling(tile_size=[128, 64], stride=64), 300, 100)
    assert geometry.canvas_size == (320, 128)
    assert (geometry.rows, geometry.columns, geometry.count) == (4, 2, 8)


def test_cells_wholly_in_the_padding_are_not_counted() -> None:
    padded = plan(Tiling(tile_size=256), 300, 512)
    assert [padded.y.cells(stride) for stride in (4, 8, 16)] == [75, 38, 19]
    stretched = plan(Tiling(tile_size=256, mode=TilingMode.interpolation), 300, 512)
    assert stretched.y.cells(8) == 64


def test_without_tiling_the_picture_is_one_tile() -> None:
    geometry = plan(Tiling(enable=False), 300, 500)
    assert geometry.input_size == geometry.canvas_size == (300, 500)
    assert geometry.count == 1


def test_a_picture_without_pixels_is_refused() -> None:
    with pytest.raises(InvalidTiling, match="0 x 5"):
        plan(Tiling(), 0, 5)


def test_a_moved_tile_has_weights_only_where_no_other_tile_is() -> None:
    geometry = plan(Tiling(tile_size=32, mode=TilingMode.cover), 80, 64, 8)
    assert geometry.y.starts == (0, 32, 48) and geometry.y.moved and not geometry.x.moved
    assert geometry.y.weights(8) == [[1.0] * 4, [1.0] * 4, [0.0, 0.0, 1.0, 1.0]]
    assert not geometry.part(range(0, 40), range(64)).y.moved


@pytest.mark.parametrize(
    ("size", "thumbnail"),
    [
        ((512, 512), (256, 256)),
        ((1260, 500), (256, 102)),
        ((500, 1260), (102, 256)),
        ((100, 50), (256, 128)),  # smaller than a tile: enlarged
        ((256, 256), (256, 256)),
        ((5, 4000), (1, 256)),
        ((1, 1), (256, 256)),
    ],
)
def test_a_thumbnail_keeps_the_ratio_of_the_edges_and_fills_the_tile_along_one(size: Size, thumbnail: Size) -> None:
    tiling = Tiling(tile_size=256, thumbnail=True)
    found, without = plan(tiling, *size), plan(replace(tiling, thumbnail=False), *size)
    assert found.thumbnail is not None
    assert found.thumbnail.image_size == thumbnail
    assert found.thumbnail.input_size == found.input_size
    assert (found.thumbnail.count, found.thumbnail.thumbnail) == (1, None)
    assert (found.count, found.in_grid) == (without.count + 1, without.count)
    assert replace(found, thumbnail=None) == without


def test_a_thumbnail_uses_the_halo_as_well() -> None:
    found = plan(Tiling(tile_size=(128, 64), halo=32, thumbnail=True), 900, 600)
    assert found.thumbnail is not None
    assert found.input_size == found.thumbnail.input_size == (192, 128)
    assert found.thumbnail.image_size == (192, 128)
    assert found.thumbnail.y.halo == 0


def test_the_plan_of_a_region_keeps_the_thumbnail_of_the_whole_picture() -> None:
    whole = plan(Tiling(tile_size=64, thumbnail=True), 640, 640)
    part = whole.part(range(10, 20), range(300, 400))
    assert part.thumbnail == whole.thumbnail
    assert part.count == part.in_grid + 1 == 4
