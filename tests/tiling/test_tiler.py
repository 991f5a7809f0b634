from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from app.errors import InvalidTiling
from app.tiling import Tiler


def test_the_plan_of_the_threads_last_picture_is_the_default() -> None:
    tiler, image = Tiler(tile_size=[8, 4], stride=4), torch.rand(2, 3, 21, 30)
    torch.testing.assert_close(tiler.untile(tiler.tile(image)), image)


def test_two_pictures_in_flight_are_kept_apart_by_their_plans() -> None:
    tiler, first, second = Tiler(tile_size=8), torch.rand(1, 3, 20, 30), torch.rand(1, 3, 9, 50)
    tiles = tiler.tile(first), tiler.tile(second)
    assert torch.equal(tiler.untile(tiles[0], tiler.plan(20, 30)), first)
    assert torch.equal(tiler.untile(tiles[1], tiler.plan(9, 50)), second)


def test_threads_are_independent() -> None:
    tiler = Tiler(tile_size=8, stride=4)

    def round_trip(size: int) -> bool:
        image = torch.rand(1, 1, size, 2 * size)
        return torch.allclose(tiler.untile(tiler.tile(image)), image)

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(round_trip, list(range(5, 60)) * 4))


def test_untile_before_tile_is_refused() -> None:
    with pytest.raises(InvalidTiling, match="untile"):
        Tiler(tile_size=8).untile(torch.zeros(1, 1, 8, 8))
