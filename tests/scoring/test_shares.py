import numpy as np
import pytest
from scipy import stats

from app.scoring import share_bound, share_interval, share_intervals


@pytest.mark.parametrize(("count", "total"), [(25, 50), (7, 103), (0, 40), (40, 40), (1, 1), (0, 1), (999, 1000)])
def test_the_interval_is_the_exact_one_of_scipy(count: int, total: int) -> None:
    expected = stats.binomtest(count, total).proportion_ci(0.95, "exact")
    assert share_interval(count, total) == pytest.approx((expected.low, expected.high), abs=1e-9)


def test_without_cases_every_share_is_possible() -> None:
    assert share_interval(0, 0) == (0, 1)


def test_the_interval_contains_the_true_share_as_often_as_it_says() -> None:
    for share in (0.02, 0.3, 0.5, 0.95):
        counts = np.arange(61)
        low, high = share_intervals(counts, 60).T
        covered = stats.binom.pmf(counts, 60, share)[(low <= share) & (share <= high)].sum()
        assert 0.95 <= covered < 1


@pytest.mark.parametrize(("count", "total"), [(0, 10), (1, 10), (7, 103), (0, 1)])
def test_the_bound_is_the_exact_one_of_scipy(count: int, total: int) -> None:
    expected = stats.binomtest(count, total, alternative="less").proportion_ci(0.95, "exact").high
    assert share_bound(count, total) == pytest.approx(expected, abs=1e-9)


def test_without_a_case_otherwise_no_bound_is_known() -> None:
    assert share_bound(0, 0) == share_bound(4, 4) == 1


def test_the_bound_holds_for_a_threshold_that_the_values_have_set() -> None:
    """Of uniform values, the share over the largest of ten is 1 minus that value."""
    largest = np.random.default_rng(0).random((20_000, 10)).max(1)
    assert (1 - largest > share_bound(0, 10)).mean() == pytest.approx(0.05, abs=0.006)
