from itertools import pairwise

import pytest

from app.service.tile_scores import spans
from app.tiling import Tiling, TilingMode, plan


def test_tiles_end_at_the_edge_of_the_picture() -> None:
    grid = plan(Tiling(tile_size=64, stride=48), 100, 100)
    assert spans(grid.y, 100, range(100)) == {0: range(64), 1: range(48, 100)}


def test_tiles_of_a_resized_picture_are_in_pixels_of_the_original() -> None:
    grid = plan(Tiling(tile_size=64), 128, 128)
    assert spans(grid.x, 1000, range(1000)) == {0: range(500), 1: range(500, 1000)}


def test_tiles_of_a_stretched_picture_cover_it() -> None:
    grid = plan(Tiling(tile_size=64, mode=TilingMode.interpolation), 100, 100)
    assert spans(grid.y, 100, range(100)) == {0: range(50), 1: range(50, 100)}


@pytest.mark.parametrize("mode", list(TilingMode))
@pytest.mark.parametrize("length", [1, 63, 64, 65, 200])
def test_tiles_cover_every_pixel(length: int, mode: str) -> None:
    tiling = Tiling(tile_size=64, stride=32, mode=mode)  # type: ignore[arg-type]  # parametrize knows str only
    found = [*spans(plan(tiling, length, length).y, length, range(length)).values()]
    assert found[0].start == 0 and found[-1].stop == length
    assert all(found)
    assert all(following.start <= each.stop for each, following in pairwise(found))


def test_untiled_pictures_are_one_tile() -> None:
    assert spans(plan(Tiling(enable=False), 77, 50).y, 77, range(77)) == {0: range(77)}


def test_tiles_are_clipped_to_the_visible_pixels_and_keep_their_numbers() -> None:
    axis = plan(Tiling(tile_size=64), 320, 320).y.part(range(80, 280))
    assert spans(axis, 320, range(140, 260)) == {2: range(140, 192), 3: range(192, 256), 4: range(256, 260)}
