import numpy as np
import pytest
from scipy import stats

from app.scoring import difference_interval, log_evidence, mcnemar


@pytest.mark.parametrize(("first_only", "second_only"), [(7, 1), (0, 5), (12, 12), (3, 4), (0, 0)])
def test_the_p_value_is_that_of_a_binomial_test(first_only: int, second_only: int) -> None:
    differing = first_only + second_only
    expected = stats.binomtest(first_only, differing).pvalue if differing else 1.0
    assert mcnemar(first_only, second_only) == pytest.approx(expected)


def test_the_evidence_is_the_mixture_of_likelihood_ratios() -> None:
    for first, second in ((0, 0), (5, 0), (3, 8)):
        shares = (np.arange(200_000) + 0.5) / 200_000
        mixture = np.mean((2 * shares) ** first * (2 * (1 - shares)) ** second)
        assert log_evidence(first, second) == log_evidence(second, first) == pytest.approx(np.log(mixture), abs=1e-6)


def test_looking_after_every_picture_rarely_finds_a_difference_that_is_not_there() -> None:
    heads = np.random.default_rng(0).integers(0, 2, (1000, 200)).cumsum(1)
    tosses = np.arange(1, 201)
    misled_by_p = misled = 0
    for each in heads:
        misled += any(log_evidence(int(a), int(n - a)) >= np.log(20) for a, n in zip(each, tosses, strict=True))
        misled_by_p += any(mcnemar(int(a), int(n - a)) <= 0.05 for a, n in zip(each, tosses, strict=True))
    assert misled / 1000 <= 0.05 < misled_by_p / 1000


def test_the_interval_is_the_published_one() -> None:
    """Airway hyper-responsiveness of 21 children, in Fagerland, Lydersen & Laake 2014 (Statistics in Medicine 33)."""
    assert difference_interval(7, 1, 21) == pytest.approx((-0.517, -0.026), abs=5e-4)


def test_models_that_agree_may_still_differ_on_other_pictures() -> None:
    low, high = difference_interval(0, 0, 50)
    assert low == pytest.approx(-high)
    assert 0.02 < high < 0.1
    wider = difference_interval(0, 0, 5)
    assert wider[1] > high


def test_exchanging_the_models_changes_the_sign() -> None:
    low, high = difference_interval(3, 9, 40)
    assert difference_interval(9, 3, 40) == pytest.approx((-high, -low))
    assert low < 6 / 40 < high


def test_extreme_counts_stay_within_the_possible_differences() -> None:
    for counts in ((0, 10, 10), (10, 0, 10), (0, 1, 1)):
        low, high = difference_interval(*counts)
        assert -1 <= low <= (counts[1] - counts[0]) / counts[2] <= high <= 1


def test_the_interval_contains_the_true_difference_as_often_as_it_says() -> None:
    random = np.random.default_rng(0)
    first, second = 0.1, 0.25
    drawn = random.multinomial(60, [first, second, 1 - first - second], size=400)
    inside = [low <= second - first <= high for low, high in (difference_interval(b, c, 60) for b, c, _ in drawn)]
    assert np.mean(inside) == pytest.approx(0.95, abs=0.035)
