import pytest

from app.errors import InvalidTiling
from app.tiling import Tiling


def test_sizes_are_a_number_or_a_pair() -> None:
    assert Tiling(tile_size=256) == Tiling(tile_size=[256, 256], stride=[256, 256])
    assert Tiling(tile_size=[128, 64], stride=64) == Tiling(tile_size=(128, 64), stride=(64, 64))


def test_the_stride_defaults_to_the_tile() -> None:
    assert Tiling(tile_size=[128, 64]).stride == (128, 64)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"tile_size": 0}, "at least 1"),
        ({"tile_size": [1, 2, 3]}, "height, width"),
        ({"tile_size": 64, "stride": 65}, "use 64 or less"),
        ({"tile_size": 64, "stride": 0}, "at least 1"),
        ({"tile_size": 64, "remove_border_count": 32}, "use 0 to 31"),
        ({"tile_size": 64, "remove_border_count": -1}, "use 0 to 31"),
        ({"tile_size": 64, "halo": -1}, "0 or more"),
        ({"tile_size": 64, "mode": "reflect"}, "'padding' or 'interpolation'"),
        ({"tile_size": 64, "blend": "max"}, "'mean' or 'gaussian'"),
    ],
)
def test_what_cannot_work_is_refused_with_what_can(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidTiling, match=message):
        Tiling(**arguments)  # type: ignore[arg-type]  # wrong values are the point


@pytest.mark.parametrize(
    ("tiling", "message"),
    [
        (Tiling(tile_size=250), "use 240 or 256"),
        (Tiling(tile_size=256, stride=100), "use 96 or 112"),
        (Tiling(tile_size=[256, 8]), "use 16$"),
        (Tiling(tile_size=256, halo=10), "use 0 or 16"),
        (Tiling(tile_size=32, remove_border_count=5), "use 0 or less"),
    ],
)
def test_tiles_off_the_feature_grid_are_refused_with_the_nearest_that_lie_on_it(tiling: Tiling, message: str) -> None:
    with pytest.raises(InvalidTiling, match=message):
        tiling.require_multiples(16)


def test_tiles_on_the_feature_grid_are_taken() -> None:
    Tiling(tile_size=[128, 64], stride=64, remove_border_count=16, halo=32).require_multiples(16)
    Tiling(enable=False, tile_size=250).require_multiples(16)
