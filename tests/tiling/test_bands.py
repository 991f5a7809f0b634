"""Bands of rows of tiles: cut from a part of the picture, and stitched one after the other."""

import pytest
import torch

from app.tiling import Blend, Kept, PaddingFill, Stitcher, Tiling, TilingMode, plan, rows_shown, tile

PICTURES = ((300, 70), (64, 64), (65, 300), (31, 20), (257, 129))
TILINGS = [
    Tiling(tile_size=64, stride=stride, mode=mode, halo=halo, padding_fill=fill, blend=blend)
    for stride, halo, fill, blend in (
        (64, 0, PaddingFill.zeros, Blend.mean),
        (32, 16, PaddingFill.reflect, Blend.gaussian),
        (16, 32, PaddingFill.replicate, Blend.mean),
    )
    for mode in TilingMode
]


@pytest.mark.parametrize("tiling", TILINGS, ids=lambda tiling: f"{tiling.mode}-{tiling.stride[0]}")
@pytest.mark.parametrize("size", PICTURES, ids=str)
def test_bands_have_the_tiles_and_cells_of_the_whole(tiling: Tiling, size: tuple[int, int]) -> None:
    generator = torch.Generator().manual_seed(7)
    picture = torch.rand(2, *size, generator=generator)
    whole = plan(tiling, *size, 8, strip_width=128)
    for rows in (1, 2, 5):
        kept: Kept = {}
        found = torch.full((2, whole.y.cells(1), whole.x.cells(1)), torch.nan)
        for first in range(0, whole.rows, rows):
            band = whole.of_band(range(first, min(first + rows, whole.rows)))
            shown = rows_shown(band)
            assert shown.start >= 0 and shown.stop <= size[0]
            tiles = tile(picture[:, shown.start : shown.stop], band, first_row=shown.start)
            for each in Stitcher(band, kept).add(tiles):
                found[:, each.top : each.top + each.rows.shape[1], each.left : each.left + each.rows.shape[2]] = (
                    each.rows
                )
        assert not kept
        plain = plan(tiling, *size, 8)
        expected = torch.full_like(found, torch.nan)
        for each in Stitcher(plain).add(tile(picture, plain)):
            expected[:, each.top : each.top + each.rows.shape[1]] = each.rows
        torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-6)


def test_a_band_has_no_thumbnail_and_the_thumbnail_no_rows() -> None:
    whole = plan(Tiling(tile_size=64, thumbnail=True), 300, 200, 8)
    assert whole.of_band(range(1, 3)).count == 2 * whole.columns
    assert (whole.of_thumbnail().count, whole.of_thumbnail().in_grid, rows_shown(whole.of_thumbnail())) == (
        1,
        0,
        range(0),
    )
