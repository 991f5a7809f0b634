from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from app.errors import InvalidTiling
from app.tiling import Blend, PaddingFill, Stitcher, Tiling, TilingMode, plan, tile, untile, zero_padding


@st.composite
def tilings(draw: st.DrawFn) -> Tiling:
    height, width = draw(st.integers(2, 24)), draw(st.integers(2, 24))
    return Tiling(
        tile_size=[height, width],
        stride=[draw(st.integers(1, height)), draw(st.integers(1, width))],
        remove_border_count=draw(st.integers(0, (min(height, width) - 1) // 2)),
        mode=draw(st.sampled_from(TilingMode)),
        blend=draw(st.sampled_from(Blend)),
        halo=draw(st.integers(0, 5)),
        padding_fill=draw(st.sampled_from(PaddingFill)),
    )


def numbered(batch: int, height: int, width: int) -> Tensor:
    """Pictures in which each pixel has a value of its own."""
    return torch.arange(1, batch * 2 * height * width + 1, dtype=torch.float64).reshape(batch, 2, height, width)


@settings(max_examples=300, deadline=None)
@given(tilings(), st.integers(1, 3), st.integers(1, 70), st.integers(1, 70))
def test_untile_inverts_tile(tiling: Tiling, batch: int, height: int, width: int) -> None:
    images, geometry = numbered(batch, height, width), plan(tiling, height, width)
    torch.testing.assert_close(untile(tile(images, geometry), geometry), images)


@pytest.mark.parametrize(
    "dtype", [torch.uint8, torch.int32, torch.float16, torch.bfloat16, torch.float32, torch.float64]
)
def test_tiles_keep_their_dtype(dtype: torch.dtype) -> None:
    images, geometry = torch.ones(1, 3, 40, 50, dtype=dtype), plan(Tiling(tile_size=16), 40, 50)
    tiles = tile(images, geometry)
    assert tiles.dtype == dtype
    assert untile(tiles, geometry).dtype == dtype
    assert torch.equal(untile(tiles, geometry), images)


def test_overlaps_of_whole_numbers_are_averaged_and_rounded() -> None:
    images, geometry = numbered(1, 21, 30).to(torch.int32), plan(Tiling(tile_size=8, stride=3), 21, 30)
    assert torch.equal(untile(tile(images, geometry), geometry), images)


def test_half_precision_overlaps_are_averaged_in_half_precision() -> None:
    geometry = plan(Tiling(tile_size=16, stride=8), 48, 48)
    stitched = untile(tile(torch.ones(1, 3, 48, 48, dtype=torch.float16), geometry), geometry)
    assert stitched.dtype == torch.float16
    torch.testing.assert_close(stitched, torch.ones_like(stitched))


@settings(max_examples=100, deadline=None)
@given(tilings(), st.integers(1, 70), st.integers(1, 70), st.sampled_from([1, 2, 4]))
def test_a_constant_stays_constant(tiling: Tiling, height: int, width: int, stride: int) -> None:
    """At any scale and with any border, halo and blend: no cell is left uncovered or counted twice."""
    scaled = Tiling(
        tile_size=[edge * stride for edge in tiling.tile_size],
        stride=[edge * stride for edge in tiling.stride],
        remove_border_count=tiling.remove_border_count * stride,
        mode=tiling.mode,
        blend=tiling.blend,
        halo=tiling.halo * stride,
    )
    geometry = plan(scaled, height, width, stride)
    tall, wide = geometry.input_size
    tiles = torch.full((geometry.count, 1, tall // stride, wide // stride), 7.0, dtype=torch.float64)
    stitched = untile(tiles, geometry)
    torch.testing.assert_close(stitched, torch.full_like(stitched, 7.0))


def test_overlaps_are_averaged() -> None:
    geometry = plan(Tiling(tile_size=4, stride=2), 4, 6)
    tiles = torch.stack([torch.full((1, 4, 4), value) for value in (1.0, 5.0)])
    assert untile(tiles, geometry)[0, 0].tolist() == [[1.0, 1.0, 3.0, 3.0, 5.0, 5.0]] * 4


def test_gaussian_overlaps_prefer_the_nearer_tile() -> None:
    geometry = plan(Tiling(tile_size=8, stride=4, blend=Blend.gaussian), 8, 12)
    tiles = torch.stack([torch.full((1, 8, 8), value) for value in (0.0, 1.0)])
    row = untile(tiles, geometry)[0, 0, 0]
    assert row[:4].tolist() == [0.0] * 4
    assert row[8:].tolist() == [1.0] * 4
    assert 0 < row[4] < row[5] < 0.5 < row[6] < row[7] < 1
    torch.testing.assert_close(row[4:8] + row[4:8].flip(0), torch.ones(4))


def test_tiles_are_ordered_by_picture_row_and_column() -> None:
    images = numbered(2, 8, 12)
    tiles = tile(images, plan(Tiling(tile_size=4), 8, 12))
    corners = [images[n, 0, y, x].item() for n in range(2) for y in (0, 4) for x in (0, 4, 8)]
    assert tiles[:, 0, 0, 0].tolist() == corners


def test_padding_is_zero_at_the_right_and_the_bottom() -> None:
    tiles = tile(torch.ones(1, 1, 3, 5), plan(Tiling(tile_size=4), 3, 5))
    assert tiles[0, 0].tolist() == [[1, 1, 1, 1]] * 3 + [[0, 0, 0, 0]]
    assert tiles[1, 0].tolist() == [[1, 0, 0, 0]] * 3 + [[0, 0, 0, 0]]


def test_a_halo_shows_the_neighbourhood() -> None:
    images = numbered(1, 8, 8)
    tiles = tile(images, plan(Tiling(tile_size=4, halo=2), 8, 8))
    assert torch.equal(tiles[3], torch.nn.functional.pad(images[0, :, 2:, 2:], (0, 2, 0, 2)))


@settings(max_examples=100, deadline=None)
@given(tilings(), st.integers(1, 70), st.integers(1, 70), st.data())
def test_chosen_tiles_equal_those_of_all(tiling: Tiling, height: int, width: int, data: st.DataObject) -> None:
    images, geometry = numbered(2, height, width), plan(tiling, height, width)
    chosen = data.draw(st.lists(st.integers(0, geometry.count - 1), min_size=1, max_size=5))
    everything = tile(images, geometry).reshape(2, geometry.count, 2, *geometry.input_size)
    assert torch.equal(
        tile(images, geometry, chosen).reshape(2, len(chosen), 2, *geometry.input_size), everything[:, chosen]
    )


def test_out_is_filled_in_its_own_dtype_and_channels() -> None:
    images, geometry = torch.full((1, 1, 3, 5), 9, dtype=torch.uint8), plan(Tiling(tile_size=4), 3, 5)
    out = torch.full((2, 3, 4, 4), -1.0)
    assert tile(images, geometry, out=out) is out
    assert out[1, :, :3, :1].tolist() == [[[9.0]] * 3] * 3
    assert out.sum() == 9 * 3 * 3 * 5


@settings(max_examples=100, deadline=None)
@given(tilings(), st.integers(1, 70), st.integers(1, 70))
def test_zero_padding_clears_what_lies_outside_the_picture_only(tiling: Tiling, height: int, width: int) -> None:
    geometry = plan(tiling, height, width)
    indices = range(geometry.count)
    ones = torch.ones(geometry.count, 1, *geometry.input_size)
    assert torch.equal(zero_padding(ones, geometry, indices), tile(torch.ones(1, 1, height, width), geometry))


@settings(max_examples=200, deadline=None)
@given(tilings(), st.integers(1, 70), st.integers(1, 70), st.integers(1, 7), st.sampled_from([1, 2, 4]))
def test_a_stitcher_yields_the_rows_of_untile(tiling: Tiling, height: int, width: int, chunk: int, stride: int) -> None:
    scaled = Tiling(
        tile_size=[edge * stride for edge in tiling.tile_size],
        stride=[edge * stride for edge in tiling.stride],
        remove_border_count=tiling.remove_border_count,
        blend=tiling.blend,
        halo=tiling.halo * stride,
    )
    if -(-scaled.remove_border_count // stride) * 2 * stride >= min(scaled.tile_size):
        return
    geometry = plan(scaled, height * stride, width)
    stitcher, bands = Stitcher(geometry), list[Tensor]()
    tall, wide = geometry.input_size
    tiles = torch.rand(geometry.count, 3, tall // stride, wide // stride, dtype=torch.float64)
    for first in range(0, geometry.count, chunk):
        for band in stitcher.add(tiles[first : first + chunk]):
            assert band.top == sum(rows.shape[1] for rows in bands)
            bands.append(band.rows.clone())
    torch.testing.assert_close(torch.cat(bands, 1)[None], untile(tiles, geometry))


@pytest.mark.parametrize("mode", list(TilingMode))
@pytest.mark.parametrize("blend", list(Blend))
@pytest.mark.parametrize("size", [(64, 64), (100, 77), (65, 129), (31, 200)])
def test_feature_cells_keep_their_places(mode: TilingMode, blend: Blend, size: tuple[int, int]) -> None:
    """Average-pooled tiles, stitched, equal the average-pooled picture after padding or stretching."""
    geometry = plan(Tiling(tile_size=32, stride=16, mode=mode, blend=blend), *size, grid=8)
    image = torch.rand(1, 1, *size, dtype=torch.float64)
    pooled = torch.nn.functional.avg_pool2d(tile(image, geometry), 8)
    stitched = untile(pooled, geometry)
    if mode is not TilingMode.interpolation:
        grown = torch.nn.functional.pad(image, (0, -size[1] % 8, 0, -size[0] % 8))
        assert stitched.shape[-2:] == (-(-size[0] // 8), -(-size[1] // 8))
    else:
        grown = torch.nn.functional.interpolate(image, size=geometry.canvas_size, mode="nearest")
    torch.testing.assert_close(stitched, torch.nn.functional.avg_pool2d(grown, 8))


def test_removed_borders_are_kept_only_where_no_neighbour_covers_them() -> None:
    geometry = plan(Tiling(tile_size=8, stride=4, remove_border_count=2), 8, 12)
    tiles = torch.stack([torch.full((1, 8, 8), value) for value in (1.0, 5.0)])
    assert untile(tiles, geometry)[0, 0, 0].tolist() == [1.0] * 6 + [5.0] * 6


@pytest.mark.gpu
def test_tiles_of_pictures_on_the_gpu_equal_those_on_the_cpu() -> None:
    geometry = plan(Tiling(tile_size=32, stride=16, mode=TilingMode.interpolation), 70, 90)
    image = torch.rand(2, 3, 70, 90)
    tiles = tile(image.cuda(), geometry)
    assert torch.equal(tiles.cpu(), tile(image, geometry))
    torch.testing.assert_close(untile(tiles, geometry).cpu(), image)


def test_a_picture_of_another_size_is_refused() -> None:
    with pytest.raises(InvalidTiling, match=r"\(8, 8\)"):
        tile(torch.zeros(1, 8, 9), plan(Tiling(tile_size=4), 8, 8))


def test_tiles_that_do_not_make_up_a_picture_are_refused() -> None:
    geometry = plan(Tiling(tile_size=4), 8, 8)
    with pytest.raises(InvalidTiling, match="3 tiles"):
        untile(torch.zeros(3, 1, 4, 4), geometry)
    with pytest.raises(InvalidTiling, match="3 x 3 cells"):
        untile(torch.zeros(4, 1, 3, 3), geometry)


def test_tiles_that_begin_between_cells_are_not_stitched() -> None:
    geometry = plan(Tiling(tile_size=8, stride=6), 20, 20)
    with pytest.raises(InvalidTiling, match="4 pixels"):
        untile(torch.zeros(geometry.count, 1, 2, 2), geometry)


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 12), st.sampled_from(["reflect", "replicate"]))
def test_pixels_outside_the_picture_are_those_of_a_padded_picture(
    height: int, width: int, halo: int, fill: str
) -> None:
    tiling = Tiling(tile_size=[9, 7], stride=[5, 7], halo=halo, padding_fill=PaddingFill(fill))
    images, geometry = numbered(1, height, width), plan(tiling, height, width)
    after = [length + halo - edge for length, edge in zip(geometry.canvas_size, (height, width), strict=True)]
    mode: Any = "edge" if fill == "replicate" else fill
    padded = np.pad(images.numpy(), ((0, 0), (0, 0), (halo, after[0]), (halo, after[1])), mode)
    tiles = tile(images, geometry)
    for index in range(geometry.count):
        top, left = geometry.place(index)
        expected = padded[0, :, top : top + 9 + 2 * halo, left : left + 7 + 2 * halo]
        assert np.array_equal(tiles[index].numpy(), expected)
    assert torch.equal(zero_padding(tiles.clone(), geometry, range(geometry.count)), tiles)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.uint16, torch.float32])
def test_pictures_of_every_depth_are_mirrored(dtype: torch.dtype) -> None:
    tiling = Tiling(tile_size=4, mode=TilingMode.cover, padding_fill=PaddingFill.reflect)
    picture = torch.tensor([[[1, 2, 3]]], dtype=dtype)
    (only,) = tile(picture, plan(tiling, 1, 3), out=torch.empty(1, 3, 4, 4))
    assert only.unique(dim=0).tolist() == [[[1, 2, 3, 2]] * 4]
