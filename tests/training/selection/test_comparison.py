"""The comparison prefers better candidates, and cheaper ones where the difference is within the error."""

import numpy as np
import pytest
from numpy.typing import NDArray

from app.training.selection.comparison import compare

PICTURES = 8
DEFECTS = np.full(PICTURES, 10, np.int64)


def pairs(level: float, noise: float = 0.0, seed: int = 0) -> NDArray[np.float64]:
    drawn = np.random.default_rng(seed).normal(level, noise, (PICTURES, PICTURES))
    return 10 * drawn.clip(0, 1)


def test_a_clearly_better_candidate_is_chosen_over_a_cheaper_one() -> None:
    found = compare([pairs(0.6, 0.02, 1), pairs(0.8, 0.02, 2), pairs(0.7, 0.02, 3)], DEFECTS, 0)
    assert found.chosen == 1
    assert found.means == pytest.approx((0.6, 0.8, 0.7), abs=0.02)
    assert found.errors[1] == 0
    assert 0 < found.errors[0] < 0.05


def test_the_cheapest_of_equally_good_candidates_is_chosen() -> None:
    one = pairs(0.6, 0.1, 4)
    noise = np.random.default_rng(5).normal(0, 2, one.shape)
    np.fill_diagonal(noise, 0)
    other = one + noise - noise.sum() / 56 + 0.15
    found = compare([one, other, pairs(0.4)], DEFECTS, 0)
    assert found.means[0] < found.means[1]
    assert found.chosen == 0


def test_defects_are_not_compared_with_their_own_picture() -> None:
    own = pairs(0.5)
    np.fill_diagonal(own, 10.0)
    assert compare([own], DEFECTS, 0).means == pytest.approx((0.5,))


def test_two_pictures_have_an_error() -> None:
    one, other = np.array([[0.0, 9.0], [1.0, 0.0]]), np.array([[0.0, 2.0], [9.0, 0.0]])
    found = compare([one, other], np.array([10, 10]), 0)
    assert found.errors[0] > 0
    assert found.chosen == 0
