import pytest

from app.admission.pace import Pace

HALF_LIFE = 64


def test_the_pace_is_unknown_before_the_first_work() -> None:
    pace = Pace(HALF_LIFE)
    assert pace.per_s is None
    pace.add(0, 1.0)
    assert pace.per_s is None


def test_a_steady_pace_does_not_depend_on_the_batch_sizes() -> None:
    pace = Pace(HALF_LIFE)
    for tiles in (1, 4, 32, 7):
        pace.add(tiles, tiles * 0.05)
    assert pace.per_s == pytest.approx(20)


def test_old_measurements_fade() -> None:
    pace = Pace(HALF_LIFE)
    pace.add(HALF_LIFE, HALF_LIFE * 1.0)
    for _ in range(10 * HALF_LIFE):
        pace.add(1, 0.1)
    assert pace.per_s == pytest.approx(10, rel=0.02)


def test_time_without_finished_work_counts() -> None:
    pace = Pace(HALF_LIFE)
    pace.add(10, 1.0)
    pace.add(0, 1.0)
    assert pace.per_s == pytest.approx(5)
