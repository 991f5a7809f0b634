"""The probability of detection by size."""

import math

import numpy as np
import pytest
from scipy.special import expit

from app.scoring import Tried, fit_detection, place_factors

SIZES = (2, 3, 4, 6, 8, 11, 16, 22, 32, 45, 64)


def simulated(midpoint: float, scale: float, lapses: float, generator: np.random.Generator) -> list[Tried]:
    shares = (1 - lapses) * expit((np.log2(SIZES) - midpoint) / scale)
    return [Tried(size, 20, int(generator.binomial(20, share))) for size, share in zip(SIZES, shares, strict=True)]


def test_the_size_lies_between_what_is_missed_and_what_is_found() -> None:
    found = fit_detection([Tried(size, 20, 20 * (size >= 8)) for size in SIZES])
    assert 6 < found.size() < 9
    low, high = found.size_interval()
    assert 6 <= low < found.size() < high < 12


def test_a_model_that_finds_everything_has_no_lower_end() -> None:
    found = fit_detection([Tried(size, 20, 20) for size in SIZES])
    assert found.size() < 2
    assert found.size_interval()[1] < 3
    assert found.probability(2) > 0.95


def test_a_model_that_finds_nothing_has_no_size() -> None:
    found = fit_detection([Tried(size, 20, 0) for size in SIZES])
    assert found.size() > 64
    assert found.size_interval()[1] == math.inf
    assert found.probability_interval(64)[1] < 0.2


def test_places_that_are_never_seen_leave_no_size() -> None:
    found = fit_detection([Tried(size, 20, 16 * (size >= 8)) for size in SIZES])
    assert found.size() == math.inf
    assert found.probability(64) == pytest.approx(0.8, abs=0.03)


def test_a_model_that_needs_larger_marks_has_a_larger_size() -> None:
    sizes = [fit_detection([Tried(size, 20, 20 * (size >= least)) for size in SIZES]).size() for least in SIZES]
    assert sizes == sorted(set(sizes))


def test_the_probability_rises_with_the_size() -> None:
    found = fit_detection(simulated(3.0, 0.4, 0.0, np.random.default_rng(1)))
    shares = [found.probability(size) for size in SIZES]
    assert shares == sorted(shares)
    for size in SIZES:
        low, high = found.probability_interval(size)
        assert 0 <= low <= found.probability(size) <= high <= 1


@pytest.mark.parametrize(("midpoint", "scale", "lapses"), [(3.0, 0.2, 0.0), (3.0, 0.5, 0.0), (3.5, 0.2, 0.03)])
def test_the_interval_covers_the_true_size(midpoint: float, scale: float, lapses: float) -> None:
    needed = 0.95 / (1 - lapses)
    true = 2 ** (midpoint + scale * math.log(needed / (1 - needed)))
    generator = np.random.default_rng(7)
    covered = 0
    for _ in range(60):
        low, high = fit_detection(simulated(midpoint, scale, lapses, generator)).size_interval()
        covered += low <= true <= high
    assert covered >= 54


def test_a_place_where_marks_are_missed_has_a_larger_factor() -> None:
    curve = fit_detection([Tried(size, 40, 40 * (size >= 8)) for size in SIZES])
    as_expected = [(curve, size, size >= 8) for size in SIZES] * 3
    late = [(curve, size, size >= 16) for size in SIZES] * 3
    factor, (low, high) = place_factors(as_expected)
    assert low <= 1 <= high
    assert factor == pytest.approx(1, abs=0.2)
    factor, (low, high) = place_factors(late)
    assert low > 1
    assert 1.5 < factor < 2.5
    factor, (low, high) = place_factors([])
    assert (factor, low, high) == pytest.approx((1.0, 2**-1.95, 2**1.95), rel=0.05)
