import numpy as np
import pytest
from scipy import stats

from app.scoring import share_interval, share_intervals


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
