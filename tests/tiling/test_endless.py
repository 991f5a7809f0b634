"""Rows of tiles of an endless plan are those of every picture that is high enough."""

from itertools import product

import pytest

from app.tiling import Blend, Tiling, TilingMode, endless_plan, plan, rows_to_settle, settled_rows

GRID = 16
TILINGS = [
    Tiling(tile_size=64, stride=stride, remove_border_count=border, halo=halo, mode=mode, blend=Blend.gaussian)
    for stride, border, halo, mode in product((16, 48, 64), (0, 16), (0, 32), (TilingMode.padding, TilingMode.cover))
]


@pytest.mark.parametrize("tiling", TILINGS, ids=str)
def test_settled_rows_of_tiles_are_equal_in_all_higher_pictures(tiling: Tiling) -> None:
    endless = endless_plan(tiling, 100, GRID).y
    for known in range(1, 400, 17):
        settled = settled_rows(endless, known, GRID)
        for height in range(known, known + 150, 3):
            real = plan(tiling, height, 100, GRID).y
            follows = settled > 0 and tiling.stride != tiling.tile_size  # another row of tiles
            assert settled + follows <= real.count
            assert all(real.start(row) == endless.start(row) for row in range(settled + follows))
            if settled:
                assert endless.window(settled - 1)[1] <= known
                rows = range(settled)
                assert real.weights(GRID, rows) == endless.weights(GRID, rows)


@pytest.mark.parametrize("tiling", TILINGS, ids=str)
def test_rows_settle_as_early_as_announced(tiling: Tiling) -> None:
    endless = endless_plan(tiling, 100, GRID).y
    for count in range(1, 5):
        rows = rows_to_settle(endless, count, GRID)
        assert (settled_rows(endless, rows - 1, GRID), settled_rows(endless, rows, GRID)) == (count - 1, count)
