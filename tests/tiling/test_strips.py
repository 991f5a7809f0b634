"""Strips of a picture are stitched like the whole picture, bit for bit."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import Tensor

from app.tiling import STRIP_PIXELS, Blend, Stitcher, TilePlan, Tiling, TilingMode, plan, tile, untile

SEEDS = range(60)


def geometry(seed: int) -> tuple[TilePlan, TilePlan, int]:
    """Plans of the same tiles of random sizes, in one strip and in several, and a stride of features.

    Every third seed has the tiles of a region.
    """
    rng = np.random.default_rng(seed)

    def drawn(low: int, high: int) -> int:
        return int(rng.integers(low, high + 1))

    stride = 2 ** drawn(0, 2)
    tall, wide = (drawn(2, 9) * stride for _ in range(2))
    tiling = Tiling(
        tile_size=[tall, wide],
        stride=[drawn(1, edge // stride) * stride for edge in (tall, wide)],
        remove_border_count=drawn(0, (min(tall, wide) // stride - 1) // 2) * stride,
        mode=list(TilingMode)[drawn(0, len(TilingMode) - 1)],
        blend=list(Blend)[drawn(0, len(Blend) - 1)],
        halo=drawn(0, 2) * stride,
    )
    size, width = (drawn(1, 40), drawn(1, 160)), drawn(1, 60)
    whole, strips = (plan(tiling, *size, stride, each) for each in (None, width))
    if seed % 3 == 0:
        left = drawn(0, size[1] - 1)
        part = range(drawn(0, size[0] - 1), size[0]), range(left, drawn(left + 1, size[1]))
        whole, strips = whole.part(*part), strips.part(*part)
    return whole, strips, stride


def features(whole: TilePlan, strips: TilePlan, stride: int) -> tuple[Tensor, Tensor]:
    """Random features of all tiles [n,3,h,w], in the order of both plans."""
    tall, wide = whole.input_size
    tiles = torch.rand(whole.count, 3, tall // stride, wide // stride, generator=torch.Generator().manual_seed(0))
    numbers = [row * whole.columns + column for _, row, column in map(strips.locate, range(strips.count))]
    return tiles, tiles[numbers]


@pytest.mark.parametrize("seed", SEEDS)
def test_strips_are_stitched_as_the_whole_picture_bit_for_bit(seed: int) -> None:
    whole, strips, stride = geometry(seed)
    all_tiles, own = features(whole, strips, stride)
    expected = torch.zeros(3, whole.y.cells(stride), whole.x.cells(stride))
    for band in Stitcher(whole).add(all_tiles):
        assert band.left == 0
        expected[:, band.top : band.top + band.rows.shape[1]] = band.rows
    found, times = torch.zeros_like(expected), torch.zeros(expected.shape[1:])
    stitcher, chunk = Stitcher(strips), 1 + seed % 5
    for first in range(0, strips.count, chunk):
        for band in stitcher.add(own[first : first + chunk]):
            place = slice(band.top, band.top + band.rows.shape[1]), slice(band.left, band.left + band.rows.shape[2])
            found[:, *place] = band.rows
            times[place] += 1
    assert torch.equal(found, expected)
    assert times.eq(1).all()
    if seed % 3:
        assert torch.equal(untile(own, strips), untile(all_tiles, whole))


@pytest.mark.parametrize("seed", SEEDS)
def test_strips_hold_all_tiles_that_show_their_part_of_the_canvas(seed: int) -> None:
    whole, strips, _ = geometry(seed)
    assert [strip.left for strip in strips.strips[1:]] == [strip.right for strip in strips.strips[:-1]]
    starts, wide = whole.x.starts, whole.x.tile
    assert (strips.strips[0].left, strips.strips[-1].right) == (starts[0], starts[-1] + wide)
    for strip in strips.strips:
        shown = [column for column, at in enumerate(starts) if at < strip.right and at + wide > strip.left]
        assert list(strip.columns) == shown
    located = [(strip.first, row, column) for strip, row, column in map(strips.locate, range(strips.in_grid))]
    assert located == sorted(set(located))  # strip by strip, row by row, each tile once in a strip
    assert {place[1:] for place in located} == {
        (row, column) for row in range(whole.rows) for column in range(whole.columns)
    }
    assert strips.distinct == whole.count


def test_tiles_of_strips_show_the_same_pixels() -> None:
    whole, strips, _ = geometry(4)
    picture = torch.rand(2, *whole.image_size)
    assert len(strips.strips) > 1
    for index, found in enumerate(tile(picture, strips)):
        _, row, column = strips.locate(index)
        assert torch.equal(found, tile(picture, whole, [row * whole.columns + column])[0])


@pytest.mark.parametrize("mode", list(TilingMode))
@pytest.mark.parametrize("stride", [256, 192, 128, 100, 32])
def test_pictures_of_ordinary_width_have_one_strip(mode: TilingMode, stride: int) -> None:
    """So nothing is computed twice; and wider ones compute few tiles twice."""
    tiling = Tiling(tile_size=256, stride=stride, mode=mode)
    for width in (1, 300, 1024, 8191, STRIP_PIXELS):
        made = plan(tiling, 64, width, 4, STRIP_PIXELS)
        assert len(made.strips) == 1 and made.count == made.rows * made.columns
    made = plan(tiling, 64, 300_000, 4, STRIP_PIXELS)
    assert made.count <= 1.04 * made.distinct
    assert made.stitched_size[1] <= STRIP_PIXELS + 256


def test_a_plan_takes_no_memory_for_its_tiles() -> None:
    """A header may announce any size: the plan of a billion pixels is as small as that of a thousand."""
    small, large = (plan(Tiling(tile_size=8, stride=1), 1, width) for width in (1000, 10**9))
    assert large.columns == 10**9 - 7
    assert [type(value) for value in (large.x.last, large.count)] == [int, int]
    assert len(small.strips) == len(large.strips) == 1


@pytest.mark.parametrize("blend", list(Blend))
@pytest.mark.parametrize("mode", list(TilingMode))
@pytest.mark.parametrize(("tile_size", "stride", "border"), [(8, 3, 0), (8, 8, 0), (9, 4, 2), (6, 1, 2), (5, 2, 2)])
def test_weights_of_some_tiles_are_those_of_all(
    blend: Blend, mode: TilingMode, tile_size: int, stride: int, border: int
) -> None:
    tiling = Tiling(tile_size=tile_size, stride=stride, remove_border_count=border, mode=mode, blend=blend)
    for length in (1, 8, 23, 40):
        axis = plan(tiling, length, length).y
        every = axis.weights(1)
        for first in range(axis.count):
            for last in range(first, axis.count):
                assert axis.weights(1, range(first, last + 1)) == every[first : last + 1]
        totals = [0.0] * axis.canvas
        for start, shares in zip(axis.starts, every, strict=True):
            for cell, share in enumerate(shares):
                totals[start + cell] += share
        assert totals == pytest.approx([1.0] * axis.canvas)
        assert all(later > earlier for earlier, later in pairwise(axis.starts))
