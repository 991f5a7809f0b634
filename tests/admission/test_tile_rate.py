"""The rate of tiles of an API key."""

from math import ceil

import pytest

from app.admission import TileRate, TileRates
from app.errors import RateLimited


class Clock:
    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@pytest.mark.parametrize("tiles_per_s", [0.25, 3.0, 50.0])
@pytest.mark.parametrize("tiles", [1, 7, 400])
def test_the_mean_rate_holds_and_retry_after_is_true(tiles_per_s: float, tiles: int) -> None:
    clock = Clock()
    rate, admitted, started_s = TileRate("camera", tiles_per_s, clock), 0, clock.now_s
    for _ in range(50):
        try:
            rate.require(tiles)
        except RateLimited as error:
            before_s = clock.now_s
            clock.now_s = before_s + 0.9 * error.retry_after_s
            with pytest.raises(RateLimited):
                rate.require(tiles)
            clock.now_s = before_s + ceil(error.retry_after_s)
            rate.require(tiles)
        rate.take(tiles)
        admitted += tiles
    assert admitted <= tiles_per_s * (clock.now_s - started_s) + max(tiles_per_s, 1) + tiles


def test_a_picture_with_more_tiles_than_a_second_has_is_admitted() -> None:
    clock = Clock()
    rate = TileRate("camera", 10, clock)
    rate.require(63)
    rate.take(63)
    with pytest.raises(RateLimited) as caught:
        rate.require(63)
    assert caught.value.retry_after_s == pytest.approx(6.3)


def test_keys_of_one_name_share_a_rate() -> None:
    rates = TileRates()
    assert rates.of("a", 5) is rates.of("a", 5)
    assert rates.of("a", 5) is not rates.of("b", 5)
