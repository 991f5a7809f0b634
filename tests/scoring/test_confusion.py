import pytest

from app.scoring import Confusion


def test_rates_follow_their_definitions() -> None:
    found = Confusion(true_positives=6, false_positives=2, true_negatives=38, false_negatives=4)
    assert found.precision == 0.75
    assert found.recall == 0.6
    assert found.false_positive_rate == 0.05
    assert found.f1 == pytest.approx(2 * 0.75 * 0.6 / (0.75 + 0.6))


def test_rates_without_a_denominator_are_none() -> None:
    assert Confusion(0, 0, 5, 2).precision is None
    assert Confusion(0, 0, 5, 2).f1 == 0
    only_normal = Confusion(0, 1, 4, 0)
    assert only_normal.precision is None
    assert (only_normal.recall, only_normal.f1, only_normal.false_positive_rate) == (None, None, 0.2)
    assert Confusion(3, 0, 0, 1).false_positive_rate is None
