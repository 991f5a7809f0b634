from dataclasses import replace

import pytest

from app.errors import InvalidTiling
from app.tiling import Tiling, TilingMode


def test_sizes_are_a_number_or_a_pair() -> None:
    assert Tiling(tile_size=256) == Tiling(tile_size=[256, 256], stride=[256, 256])
    assert Tiling(tile_size=[128, 64], stride=64) == Tiling(tile_size=(128, 64), stride=(64, 64))


def test_the_stride_defaults_to_the_tile() -> None:
    assert Tiling(tile_size=[128, 64]).stride == (128, 64)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"tile_size": 0}, r"tile_size\b.*\b0\b"),
        ({"tile_size": [1, 2, 3]}, r"tile_size\b.*\[1, 2, 3\]"),
        ({"tile_size": 64, "stride": 65}, r"stride height 65\b.*\b64\b"),
        ({"tile_size": 64, "stride": 0}, r"stride\b.*\b0\b"),
        ({"tile_size": 64, "remove_border_count": 32}, r"remove_border_count\b.*\b32\b.*\b31\b"),
        ({"tile_size": 64, "remove_border_count": -1}, r"remove_border_count\b.*-1\b.*\b31\b"),
        ({"tile_size": 64, "halo": -1}, r"halo\b.*-1\b"),
        ({"tile_size": 64, "mode": "reflect"}, "'reflect'.*padding.*interpolation.*cover.*within"),
        ({"tile_size": 64, "blend": "max"}, "'max'.*mean.*gaussian"),
        ({"enable": False, "thumbnail": True}, "thumbnail is true.*the only tile.*leave out"),
    ],
)
def test_tilings_that_cannot_work_are_refused_with_values_that_can(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidTiling, match=message):
        Tiling(**arguments)  # type: ignore[arg-type]  # wrong values are the point


@pytest.mark.parametrize(
    ("tiling", "message"),
    [
        (Tiling(tile_size=250), r"tile_size 250\b.*\b240 or 256\b"),
        (Tiling(tile_size=256, stride=100), r"stride 100\b.*\b96 or 112\b"),
        (Tiling(tile_size=[256, 8]), r"tile_size 8\b.*\b16$"),
        (Tiling(tile_size=256, halo=10), r"halo 10\b.*\b0 or 16\b"),
        (Tiling(tile_size=32, remove_border_count=5), r"remove_border_count 5\b.*\b0\b"),
    ],
)
def test_tiles_off_the_feature_grid_are_refused_with_the_nearest_values(tiling: Tiling, message: str) -> None:
    with pytest.raises(InvalidTiling, match=message):
        tiling.require_multiples(16)


@pytest.mark.parametrize(
    ("tiling", "message"),
    [
        (Tiling(tile_size=64, halo=16, mode=TilingMode.within), r"halo 16\b.*\b0 or 32\b"),
        (Tiling(tile_size=64, stride=48, mode=TilingMode.within), r"stride 48\b.*\b32 or 64\b"),
    ],
)
def test_tiles_within_the_picture_lie_on_the_grid_of_the_whole_network(tiling: Tiling, message: str) -> None:
    with pytest.raises(InvalidTiling, match=message):
        tiling.require_multiples(16, 32)
    replace(tiling, mode=TilingMode.cover).require_multiples(16, 32)


def test_tiles_on_the_feature_grid_are_accepted() -> None:
    Tiling(tile_size=[128, 64], stride=64, remove_border_count=16, halo=32).require_multiples(16)
    Tiling(enable=False, tile_size=250).require_multiples(16)
