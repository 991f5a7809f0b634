from typing import TYPE_CHECKING

import numpy as np
import pytest
from scipy import stats

from app.scoring.gumbel import LEAST_SPREAD, confidence_limits, limit_factor, prediction_limit

if TYPE_CHECKING:
    from scipy.stats._distn_infrastructure import rv_continuous_frozen

LAWS = {
    "normal": stats.norm(),
    "gamma": stats.gamma(4),
    "log-normal": stats.lognorm(0.5),
    "exponential": stats.expon(),
    "student": stats.t(4),
}


def exceeded(law: "rv_continuous_frozen", count: int, exceedance: float) -> float:
    """The probability that a new value exceeds the limit of `count` values, averaged over 20,000 samples."""
    samples = np.asarray(law.rvs((20_000, count), random_state=np.random.default_rng(1)))
    limits = samples.mean(1) + limit_factor(count, exceedance) * samples.std(1, ddof=1)
    return float(np.mean(law.sf(limits)))


@pytest.mark.parametrize("exceedance", [0.2, 0.05, 0.01])
@pytest.mark.parametrize("count", [2, 3, 8, 40])
def test_maxima_exceed_the_limit_with_the_requested_probability(count: int, exceedance: float) -> None:
    assert exceeded(stats.gumbel_r(loc=30, scale=4), count, exceedance) == pytest.approx(exceedance, rel=0.1)


@pytest.mark.parametrize("count", [2, 5, 12, 18])
@pytest.mark.parametrize("law", LAWS)
def test_values_of_other_laws_exceed_the_limit_about_as_often(law: str, count: int) -> None:
    assert 0.02 <= exceeded(LAWS[law], count, 0.05) <= 0.08


def test_the_limit_follows_shift_and_scale() -> None:
    limit = prediction_limit([1.0, 2.0, 4.0], 0.05)
    assert prediction_limit([11.0, 21.0, 41.0], 0.05) == pytest.approx(10 * limit + 1)


@pytest.mark.parametrize("spread", [0, 0.01])
def test_values_that_are_alike_count_as_varying_by_a_share_of_their_mean(spread: float) -> None:
    limit = prediction_limit([5.0, 5.0 + spread, 5.0 - spread], 0.05)
    assert limit == pytest.approx(5 * (1 + LEAST_SPREAD * limit_factor(3, 0.05)))
    low, high = confidence_limits([5.0] * 3, 0.05)
    assert low == pytest.approx(limit) and high == pytest.approx(limit)
