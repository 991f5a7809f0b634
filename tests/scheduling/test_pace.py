import pytest

from app.scheduling.pace import HALF_LIFE_TILES, Pace


def test_the_pace_is_unknown_before_the_first_tile() -> None:
    pace = Pace()
    assert pace.tiles_per_s is None
    pace.add(0, 1.0)
    assert pace.tiles_per_s is None


def test_a_steady_pace_does_not_depend_on_the_batch_sizes() -> None:
    pace = Pace()
    for tiles in (1, 4, 32, 7):
        pace.add(tiles, tiles * 0.05)
    assert pace.tiles_per_s == pytest.approx(20)


def test_old_measurements_fade() -> None:
    pace = Pace()
    pace.add(HALF_LIFE_TILES, HALF_LIFE_TILES * 1.0)
    for _ in range(10 * HALF_LIFE_TILES):
        pace.add(1, 0.1)
    assert pace.tiles_per_s == pytest.approx(10, rel=0.02)


def test_time_without_a_finished_tile_counts() -> None:
    pace = Pace()
    pace.add(10, 1.0)
    pace.add(0, 1.0)
    assert pace.tiles_per_s == pytest.approx(5)
